"""Files that are made from others: write them, or check that they are what would be written."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

COMMAND = "hack/generate"
"""What a user runs to bring every generated file up to date."""

REPOSITORY = Path(__file__).resolve().parent.parent


def main(files: Mapping[str, str], arguments: Sequence[str] | None = None, root: Path = REPOSITORY) -> int:
    """Write the files, or with `--check` say which are out of date.

    Args:
        files: content by path, relative to `root`.
        arguments: the command line without the program's name; by default the one that this program was started with.
        root: the folder that the paths start from.

    Returns:
        The exit status: 1 if a check found a difference.
    """
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is out of date")
    if parser.parse_args(arguments).check:
        return _check(files, root)
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
        print(f"wrote {path}")
    return 0


def _check(files: Mapping[str, str], root: Path) -> int:
    stale = [path for path, content in files.items() if _read(root / path) != content]
    for path in stale:
        print(f"{path} is out of date: run {COMMAND} and commit what it writes")
    return 1 if stale else 0


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
