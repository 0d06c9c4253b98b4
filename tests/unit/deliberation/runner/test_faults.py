import json

import pytest

from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.tasks import ModelAddress
from deliberation.runner.faults import SeatFailedError, describe


def test_an_unexpected_error_shows_its_kind_and_place_but_not_what_it_says() -> None:
    with pytest.raises(ValueError, match="control character") as caught:
        json.loads('"what the user wrote\n"')
    assert describe(caught.value).startswith("JSONDecodeError at decoder.py:")

    with pytest.raises(ValueError, match="what the user wrote") as invalid:
        ModelAddress.model_validate({"name": ["what the user wrote"]})
    assert "what the user wrote" not in describe(invalid.value)


@pytest.mark.parametrize("error", [BusUnavailableError("NATS is away"), SeatFailedError("NATS is away")])
def test_what_we_say_ourselves_is_told(error: Exception) -> None:
    assert describe(error) == "NATS is away"


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert describe(KeyError("secret")) == "KeyError"
