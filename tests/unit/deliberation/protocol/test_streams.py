from hypothesis import given

from deliberation.protocol import streams, subjects
from unit.deliberation.protocol import strategies


def test_streams_share_no_subject() -> None:
    assert len({subject for stream in streams.ALL for subject in stream.subjects}) == len(streams.ALL)


def test_nothing_is_kept_for_ever() -> None:
    assert all(stream.max_age_seconds > 0 for stream in streams.ALL)


def test_what_was_laid_aside_outlives_the_task() -> None:
    assert streams.DEAD.max_age_seconds > streams.TASKS.max_age_seconds


@given(strategies.labels, strategies.labels)
def test_a_runner_consumes_its_own_tasks(namespace: str, runner: str) -> None:
    consumer = streams.build_task_consumer(namespace, runner)
    assert consumer.filter_subject == subjects.tasks_of_runner(namespace, runner)


@given(strategies.labels, strategies.labels, strategies.labels, strategies.labels)
def test_no_two_runners_share_a_consumer(namespace: str, runner: str, other_namespace: str, other_runner: str) -> None:
    one, other = (
        streams.build_task_consumer(namespace, runner),
        streams.build_task_consumer(other_namespace, other_runner),
    )
    assert (one.durable == other.durable) == ((namespace, runner) == (other_namespace, other_runner))


@given(strategies.labels, strategies.labels)
def test_a_durable_name_is_one_that_nats_takes(namespace: str, runner: str) -> None:
    assert not set(streams.build_task_consumer(namespace, runner).durable) & set(". *>/\\\t")
