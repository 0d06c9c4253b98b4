"""One rendering of the chart with its default values, for all tests that only look."""

import pytest

from chart.rendering import Objects, render


@pytest.fixture(scope="session")
def defaults() -> Objects:
    return render()
