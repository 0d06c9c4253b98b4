from concurrent.futures import Future  # noqa: TC003 -- annotates a variable

import pytest

from clusters import commands
from clusters.errors import StepFailed
from clusters.together import together


def fail(message: str) -> None:
    raise ValueError(message)


def test_results_of_all_parts() -> None:
    with together() as parts:
        ends = [parts.begin(pow, base, 2) for base in range(4)]
    assert [end.result() for end in ends] == [0, 1, 4, 9]


def test_a_failing_part_ends_the_others_at_once() -> None:
    sleepers: list[Future[str]] = []

    def work() -> None:
        with together() as parts:
            sleepers.append(parts.begin(commands.run, ["sleep", "1000"], step="sleeping"))
            parts.begin(fail, "broken")

    with pytest.raises(ValueError, match="broken"):
        work()
    assert isinstance(sleepers[0].exception(), StepFailed)


def test_a_failing_body_ends_the_parts() -> None:
    waits: list[Future[None]] = []

    def work() -> None:
        with together() as parts:
            waits.append(parts.begin(commands.wait_until, lambda: False, step="waiting", seconds=1000))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert isinstance(waits[0].exception(), StepFailed)
