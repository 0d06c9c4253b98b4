"""What can go wrong, said so that a person knows what to do next."""

from pathlib import Path

LOG_LINES = 15


class Refusal(Exception):  # noqa: N818 -- a refusal is the project's word for it
    """The command will not do what was asked.

    Args:
        reason: what stands in the way, naming the object.
        remedy: what to do next.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}\n{remedy}")
        self.reason = reason
        self.remedy = remedy


class StepFailed(Exception):  # noqa: N818 -- says which step failed, as Refusal says what was refused
    """A step that was begun did not succeed.

    Args:
        step: what was being done, as the progress line names it.
        reason: what happened.
        log: the log that tells more; its last lines become part of the message.
    """

    def __init__(self, step: str, reason: str, log: Path | None = None) -> None:
        message = f"{step}: {reason}"
        if log is not None:
            message += f"\nThe end of {log}:\n{tail(log)}"
        super().__init__(message)
        self.step = step
        self.reason = reason


def tail(log: Path, lines: int = LOG_LINES) -> str:
    """Return the last lines of a log, indented; a log that is missing or empty says so."""
    try:
        content = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError as error:
        return f"    (unreadable: {error.strerror})"
    return "\n".join(f"    {line}" for line in content) or "    (empty)"
