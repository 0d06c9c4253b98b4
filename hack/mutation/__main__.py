"""Breaks modules of the pure core in small ways, and tells which mutants no test notices.

mutmut makes the mutants: it is kept up, and changes what can be wrong in Python. A mutant is tried by the unit tests of
its own package that reach it. What was noticed is kept in mutants/ and tried again only when its code has changed, or
with --again; what survived is tried again each time.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import yaml

from mutation.mutants import Mutants
from mutation.survivors import KILLED, UNTRIED, Equivalent, Tally, read_change, record, tabulate, tally

REPOSITORY = Path(__file__).resolve().parents[2]
EQUIVALENTS = Path(__file__).with_name("equivalent.yaml")
RECORD = Path("docs/mutation.md")

PACKAGES = ("deliberation.protocol", "deliberation.aggregation", "deliberation.engine")


def main() -> int:
    """Run, and return the exit status: 1 if more survive than are allowed."""
    parser = argparse.ArgumentParser(prog="hack/mutate", description=__doc__)
    usual = f"such as deliberation.engine.fold (default: {', '.join(PACKAGES)})"
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=usual)
    parser.add_argument("--again", action="store_true", help="try again what was noticed before, too")
    parser.add_argument("--write", action="store_true", help=f"try nothing, and tell in {RECORD} what is known")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="mutants to try at a time (%(default)s)")
    wanted = parser.parse_args()
    os.chdir(REPOSITORY)
    modules = tuple(wanted.modules) or PACKAGES
    mutants = Mutants(wanted.processes)
    verdicts = mutants.select(modules)
    if not verdicts:
        parser.error(f"nothing can be changed in {', '.join(modules)}")
    if wanted.write:
        RECORD.write_text(record({package: _count(mutants, (package,)) for package in PACKAGES}, _find_commit()))
        return 0
    for package in PACKAGES:
        chosen = [
            name
            for name, verdict in verdicts.items()
            if name.startswith(f"{package}.") and (wanted.again or verdict not in KILLED)
        ]
        tests = f"tests/unit/{package.replace('.', '/')}"
        if chosen and (status := mutants.try_out(chosen, [tests], wanted.processes)):
            return status
    return _report(mutants, modules)


def _count(mutants: Mutants, modules: tuple[str, ...]) -> Tally:
    verdicts = mutants.select(modules)
    alive = [name for name, verdict in verdicts.items() if verdict not in KILLED | UNTRIED]
    return tally(verdicts, {name: read_change(mutants.tell(name)) for name in alive}, _read_equivalents())


def _report(mutants: Mutants, modules: tuple[str, ...]) -> int:
    verdicts = mutants.select(modules)
    result = _count(mutants, modules)
    print(tabulate(verdicts))
    for name, change in result.survivors.items():
        print(f"\n{name}: {verdicts[name]}\n{change}")
    print(
        f"\n{result.tried} mutants tried, {len(result.survivors)} survive ({result.percent:.1f} %), "
        f"{result.equivalent} more change nothing that a user could notice"
    )
    return 0 if result.is_good else 1


def _find_commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _read_equivalents() -> tuple[Equivalent, ...]:
    return tuple(Equivalent(**one) for one in yaml.safe_load(EQUIVALENTS.read_text()))


if __name__ == "__main__":
    sys.exit(main())
