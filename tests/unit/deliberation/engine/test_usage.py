from deliberation.engine.usage import add_up, tell_usage
from deliberation.protocol.entries import Outcome, Usage, Verdict
from unit.deliberation.engine.scripted import START_MS, build_task, propose, stand

TASK = build_task(2)
ONE = Usage(calls=1, prompt_tokens=20, cached_tokens=16, completion_tokens=5, repeated_calls=3)
OTHER = Usage(calls=2, prompt_tokens=300, cached_tokens=160, completion_tokens=70, repeated_calls=4)


def test_usages_are_added_up_part_by_part() -> None:
    together = Usage(calls=3, prompt_tokens=320, cached_tokens=176, completion_tokens=75, repeated_calls=7)
    assert add_up(ONE, OTHER) == together
    assert add_up() == Usage()


def test_calls_that_were_made_again_are_told() -> None:
    proposals = (propose(f"s-{i}").model_copy(update={"usage": usage}) for i, usage in enumerate((ONE, OTHER)))
    told = tell_usage(TASK, stand(TASK, *proposals))
    assert (told.calls, told.repeated_calls, told.total_tokens) == (3, 7, 395)
    assert told.wall_milliseconds is None


def test_a_run_takes_no_time_at_the_least() -> None:
    for decided_at_ms, wall in ((START_MS - 5, 0), (START_MS, 0), (START_MS + 5, 5)):
        verdict = Verdict(outcome=Outcome.CANCELLED, counted=(), decided_at_ms=decided_at_ms)
        assert tell_usage(TASK, stand(TASK, verdict)).wall_milliseconds == wall
