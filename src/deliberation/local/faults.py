"""What keeps a local run from starting, for the one who typed the command."""

from collections.abc import Iterable


class BadInputError(ValueError):
    """The input cannot be run. The message has one line for each fault: which object, which field, what to do."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))
