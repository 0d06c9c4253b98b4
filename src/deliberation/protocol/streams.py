"""The JetStream streams, declared once: the operator creates them, everybody else only uses them."""

from dataclasses import dataclass

from deliberation.protocol import subjects

DUPLICATE_WINDOW_SECONDS = 600

SERVER_MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""What `max_payload` of nats-server should be.

The API's bounds let a task have 128 KiB of question and context, as much of instructions, and little else; JSON writes
a byte as six at worst: less than 2 MiB in all. A server with less refuses only what is larger.
"""

HEADER_BYTES = 1024
"""Kept free of each message for its headers: they count towards `max_payload`."""

MAX_MESSAGE_BYTES = SERVER_MAX_PAYLOAD_BYTES - HEADER_BYTES
"""Most bytes of one message's body."""

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Stream:
    """A stream with limits retention, file storage, one message per subject, and refusal of a second one.

    Limits retention, not work-queue: a work-queue stream forgets message ids when the server restarts, and would take
    the same task twice. One message per subject with "discard new" makes every write a create-once. A stream of what
    the server itself has to say (`is_once` False) keeps the latest of each subject.
    """

    name: str
    subjects: tuple[str, ...]
    max_age_seconds: int
    is_once: bool = True


TASKS = Stream("COUNCIL_TASKS", (subjects.TASKS,), 7 * DAY_SECONDS)
LEDGER = Stream("COUNCIL_LEDGER", (subjects.LEDGER,), 7 * DAY_SECONDS)
DEAD = Stream("COUNCIL_DEAD", (subjects.DEAD,), 14 * DAY_SECONDS)
EXHAUSTED = Stream(
    "COUNCIL_EXHAUSTED",
    (f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{TASKS.name}.*",),
    7 * DAY_SECONDS,
    is_once=False,
)
"""What the server says of tasks that it delivered for the last time in vain. It says so once, so it is kept."""

MAX_EXHAUSTED_PER_RUNNER = 10_000

REASON = "Reason"
"""The header of a task laid aside that says why it was."""

RETRIED_IN_VAIN = "DeliveredTooOften"
"""The reason of a task that no delivery brought to an end."""

ALL = (TASKS, LEDGER, DEAD, EXHAUSTED)


@dataclass(frozen=True)
class TaskConsumer:
    """The durable pull consumer through which one runner takes its tasks.

    No backoff list: the server would shorten the first acknowledgement wait to its first element. That wait is how long
    the tasks of a lost driver lie idle; a driver at work renews it every few seconds.
    """

    durable: str
    filter_subject: str
    ack_wait_seconds: int = 20
    max_deliver: int = 4
    inactive_threshold_seconds: int = DAY_SECONDS


def build_task_consumer(namespace: str, runner: str) -> TaskConsumer:
    """Return the consumer of one runner; its name is unique among all namespaces."""
    return TaskConsumer(f"{namespace}_{runner}", subjects.tasks_of_runner(namespace, runner))
