"""Runs mutmut on modules of the pure core and tells which mutants survive.

mutmut: it is kept up, takes pytest as it is, and runs only the tests that reach a mutant. A run can be broken off: what
was tried is kept in mutants/ and tried again only when its code has changed.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import yaml

from mutation.survivors import KILLED, UNTRIED, Equivalent, read_change, read_results, tabulate, tally

REPOSITORY = Path(__file__).resolve().parents[2]
EQUIVALENTS = Path(__file__).with_name("equivalent.yaml")

PACKAGES = ("deliberation.protocol", "deliberation.aggregation", "deliberation.engine")


def main() -> int:
    """Run, and return the exit status: 1 if more survive than are allowed."""
    parser = argparse.ArgumentParser(prog="hack/mutate", description=__doc__)
    usual = f"such as deliberation.engine.fold (default: {', '.join(PACKAGES)})"
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=usual)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="mutants to try at a time (%(default)s)")
    wanted = parser.parse_args()
    modules = tuple(wanted.modules) or PACKAGES
    patterns = [f"{module}.*" for module in modules]
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "mutation"}
    ended = subprocess.run(
        ["mutmut", "run", "--max-children", str(wanted.processes), *patterns],
        cwd=REPOSITORY,
        env=environment,
        check=False,
    )
    if ended.returncode:
        return ended.returncode
    return _report(modules)


def _report(modules: tuple[str, ...]) -> int:
    verdicts = read_results(_ask("results", "--all", "true"), modules)
    alive = [name for name, verdict in verdicts.items() if verdict not in KILLED | UNTRIED]
    changes = {name: read_change(_ask("show", name)) for name in alive}
    result = tally(verdicts, changes, _read_equivalents())
    print(tabulate(verdicts))
    for name, change in result.survivors.items():
        print(f"\n{name}\n{change}")
    print(
        f"\n{result.tried} mutants tried, {len(result.survivors)} survive ({result.percent:.1f} %), "
        f"{result.equivalent} more change nothing that a user could notice"
    )
    return 0 if result.is_good else 1


def _ask(*arguments: str) -> str:
    return subprocess.run(["mutmut", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def _read_equivalents() -> tuple[Equivalent, ...]:
    return tuple(Equivalent(**one) for one in yaml.safe_load(EQUIVALENTS.read_text()))


if __name__ == "__main__":
    sys.exit(main())
