"""Names of subjects. Every token is an id of ours, so no name that a user chose can change the routing."""

from dataclasses import dataclass

PREFIX = "council.v1"

TASKS = f"{PREFIX}.*.task.>"
LEDGER = f"{PREFIX}.*.ledger.>"
DEAD = f"{PREFIX}.*.dead.>"
HEARTBEATS = f"{PREFIX}.*.heartbeat.*"
PROBES = f"{PREFIX}.*.probe.*"


_KIND = 3
"""Which token says what a message is; it follows the namespace, which may be called "task", too."""


@dataclass(frozen=True)
class Run:
    """One attempt at one Deliberation: what its task and its ledger are filed under."""

    namespace: str
    deliberation_uid: str
    attempt: int = 1


def within(pattern: str, namespace: str) -> str:
    """Return the part of a pattern of all namespaces that is in one of them; `*` stands for all."""
    return pattern.replace(f"{PREFIX}.*", f"{PREFIX}.{namespace}")


def task(run: Run, runner: str) -> str:
    """Return the subject of the run's task, addressed to one runner."""
    return f"{PREFIX}.{run.namespace}.task.{runner}.{run.deliberation_uid}.{run.attempt}"


def tasks_of(namespace: str) -> str:
    """Return the filter that selects every task of one namespace."""
    return f"{PREFIX}.{namespace}.task.>"


def tasks_of_runner(namespace: str, runner: str) -> str:
    """Return the filter that selects every task of one runner."""
    return f"{PREFIX}.{namespace}.task.{runner}.>"


def tasks_of_deliberation(namespace: str, deliberation_uid: str) -> str:
    """Return the filter that selects every task of one Deliberation, whichever runner it went to."""
    return f"{PREFIX}.{namespace}.task.*.{deliberation_uid}.>"


def entry(run: Run, key: str) -> str:
    """Return the subject of one ledger entry; `key` is the entry's place in the run."""
    return f"{PREFIX}.{run.namespace}.ledger.{run.deliberation_uid}.{run.attempt}.{key}"


def ledger(run: Run) -> str:
    """Return the filter that selects every ledger entry of one run."""
    return entry(run, ">")


def ledger_of_deliberation(namespace: str, deliberation_uid: str) -> str:
    """Return the filter that selects every ledger entry of one Deliberation, all attempts."""
    return f"{PREFIX}.{namespace}.ledger.{deliberation_uid}.>"


def dead(run: Run, runner: str) -> str:
    """Return the subject under which a task that cannot be worked on is laid aside."""
    return f"{PREFIX}.{run.namespace}.dead.{runner}.{run.deliberation_uid}.{run.attempt}"


def dead_of_deliberation(namespace: str, deliberation_uid: str) -> str:
    """Return the filter that selects every task of one Deliberation that was laid aside."""
    return f"{PREFIX}.{namespace}.dead.*.{deliberation_uid}.>"


def dead_letter_of(task_subject: str) -> str:
    """Return where a task is laid aside, from its subject, even when that names no run."""
    tokens = task_subject.split(".")
    return ".".join((*tokens[:_KIND], "dead", *tokens[_KIND + 1 :]))


def heartbeat(namespace: str, runner: str) -> str:
    """Return the core NATS subject on which a runner says that it lives."""
    return f"{PREFIX}.{namespace}.heartbeat.{runner}"


def probe(namespace: str, runner: str) -> str:
    """Return the core NATS subject on which a runner is asked whether it can reach models."""
    return f"{PREFIX}.{namespace}.probe.{runner}"


def find_entry(subject: str) -> tuple[Run, str] | None:
    """Return the run and the key of a ledger subject, or None when it is no ledger subject."""
    tokens = subject.split(".")
    match tokens:
        case ["council", "v1", namespace, "ledger", uid, attempt, *key] if attempt.isdecimal() and key:
            return Run(namespace, uid, int(attempt)), ".".join(key)
        case _:
            return None


def find_task(subject: str) -> Run | None:
    """Return the run of a task subject, or None when it is no task subject."""
    match subject.split("."):
        case ["council", "v1", namespace, "task", _, uid, attempt] if attempt.isdecimal():
            return Run(namespace, uid, int(attempt))
        case _:
            return None


def find_dead(subject: str) -> tuple[str, str] | None:
    """Return the namespace and the Deliberation of a task laid aside, or None when the subject is not of one."""
    match subject.split("."):
        case ["council", "v1", namespace, "dead", _, uid, _]:
            return namespace, uid
        case _:
            return None


def find_heartbeat(subject: str) -> tuple[str, str] | None:
    """Return the namespace and the runner of a heartbeat subject, or None when it is none."""
    match subject.split("."):
        case ["council", "v1", namespace, "heartbeat", runner]:
            return namespace, runner
        case _:
            return None
