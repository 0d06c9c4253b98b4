"""From what mutmut tells to a verdict. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ALLOWED_PERCENT = 5
"""Most survivors, as a share of all mutants that were tried."""

KILLED = frozenset({"killed", "timeout", "caught by type check", "segfault"})
"""Verdicts of mutants that a test noticed; one that makes a test run for ever is noticed, too."""

UNTRIED = frozenset({"not checked", "skipped", "check was interrupted by user"})


@dataclass(frozen=True)
class Equivalent:
    """Changes that change nothing a user could notice: which, as a pattern of the diff's lines, and why."""

    pattern: str
    reason: str

    def explains(self, change: str) -> bool:
        """Return whether the change is one of these."""
        return re.search(self.pattern, change) is not None


@dataclass(frozen=True)
class Tally:
    """What became of the mutants that were tried. `survivors` are told by their changes, by name."""

    tried: int
    equivalent: int
    survivors: Mapping[str, str]
    untried: int = 0

    @property
    def killed(self) -> int:
        """Return how many a test noticed."""
        return self.tried - self.equivalent - len(self.survivors)

    @property
    def percent(self) -> float:
        """Return the share of survivors."""
        return 100 * len(self.survivors) / self.tried if self.tried else 0.0

    @property
    def is_good(self) -> bool:
        """Return whether few enough survive."""
        return self.tried > 0 and self.percent <= ALLOWED_PERCENT


def read_change(diff: str) -> str:
    """Return the changed lines of a diff, each with its sign and without its indentation."""
    lines = (line for line in diff.splitlines() if re.match(r"[+-](?![+-]{2} )", line))
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines)


def tally(verdicts: Mapping[str, str], changes: Mapping[str, str], equivalents: Iterable[Equivalent]) -> Tally:
    """Return the tally; `changes` tells those of all mutants that no test noticed."""
    known = tuple(equivalents)
    tried = {name: verdict for name, verdict in verdicts.items() if verdict not in UNTRIED}
    alive = {name: changes[name] for name, verdict in tried.items() if verdict not in KILLED}
    survivors = {name: change for name, change in alive.items() if not any(one.explains(change) for one in known)}
    return Tally(len(tried), len(alive) - len(survivors), survivors, len(verdicts) - len(tried))


def tabulate(verdicts: Mapping[str, str]) -> str:
    """Return how many mutants of each module have which verdict."""
    modules: dict[str, Counter[str]] = {}
    for name, verdict in verdicts.items():
        modules.setdefault(name.rpartition(".")[0], Counter())[verdict] += 1
    return "\n".join(
        f"{module:<44}{', '.join(f'{number} {verdict}' for verdict, number in sorted(counts.items()))}"
        for module, counts in sorted(modules.items())
    )


def record(tallies: Mapping[str, Tally], commit: str) -> str:
    """Return the page that tells, for each package, what became of its mutants at a commit."""
    rows = "\n".join(
        f"| {package} | {found.tried} | {found.killed} | {found.equivalent} | {len(found.survivors)} "
        f"| {found.percent:.1f} % | {found.untried} |"
        for package, found in tallies.items()
    )
    return _RECORD.format(allowed=ALLOWED_PERCENT, commit=commit, rows=rows)


_RECORD = """\
# Mutation tests

Written by `hack/mutate --write`; do not edit. What the tests notice when the code that decides a Deliberation is broken
in small ways: a mutant is killed when a test of its own package fails. Equivalent ones change nothing that a user could
notice; each has its reason in `hack/mutation/equivalent.yaml`. At most {allowed} % may survive.

At commit {commit}:

| Package | Tried | Killed | Equivalent | Survivors | Share | Not tried yet |
|---|---|---|---|---|---|---|
{rows}
"""
