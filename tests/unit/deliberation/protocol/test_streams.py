from hypothesis import given

from deliberation.api.v1alpha1.council import MAX_SEATED_INSTRUCTIONS, MAX_SEATS
from deliberation.api.v1alpha1.deliberation import MAX_TEXT_BYTES, Answer, AnswerType, ContextText, Criterion
from deliberation.protocol import streams, subjects
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task
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


def test_the_largest_task_that_the_api_lets_through_fits_one_message() -> None:
    worst = "\x01"  # six bytes of JSON
    instructions = worst * (MAX_SEATED_INSTRUCTIONS // MAX_SEATS)
    seat = SeatTask(id="s" * 43, member="m" * 40, role="r" * 63, model="m" * 40, instructions=instructions)
    model = ModelAddress(name="m" * 40, base_url="u" * 512, model_name="n" * 256, api_key_file="k" * 507)
    half = worst * (MAX_TEXT_BYTES // 2)
    task = Task(
        namespace="n" * 63,
        deliberation_uid="u" * 36,
        deliberation_name="n" * 253,
        council_uid="u" * 36,
        council_name="n" * 63,
        question=half,
        context=(ContextText(name="c", text=half),),
        requirements=(worst * 1024,) * 32,
        criteria=(Criterion(name="c" * 40, description=worst * 512),) * 8,
        answer=Answer(type=AnswerType.CHOICE, choices=(worst * 128,) * 26),
        strategy=ResolvedStrategy.VOTE,
        seats=(seat,) * MAX_SEATS,
        models=(model,) * 8,
        quorum=1,
        started_at_ms=0,
        timeout_ms=1,
    )
    assert len(task.encode()) < streams.MAX_MESSAGE_BYTES / 2
