import pytest

from deliberation.api.v1alpha1.council_models import mebibytes


@pytest.mark.parametrize(("quantity", "mib"), [("512Mi", 512), ("12Gi", 12_288), ("1Ti", 1_048_576)])
def test_quantities_are_powers_of_two(quantity: str, mib: int) -> None:
    assert mebibytes(quantity) == mib
