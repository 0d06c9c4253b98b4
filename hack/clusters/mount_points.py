"""Folders of the machine that nodes mount theirs over: made when missing, removed when no node needs them any more.

The record of what was made is the machine's, not a user's: every node of every user mounts over the same folders.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from clusters.locks import locked

RECORD = Path("/run/council-operator-mount-points.json")


def make(folders: Sequence[Path], record: Path = RECORD) -> None:
    """Make those of the folders that are missing, and write down which these were."""
    with locked(record.parent):
        missing = [folder for folder in folders if not folder.exists()]
        if missing:
            _write(record, {*_read(record), *missing})
        for folder in missing:
            folder.mkdir()


def remove(record: Path = RECORD, tables: Iterable[Path] | None = None) -> None:
    """Remove the folders that were made, but for those that a process still mounts over or that hold something.

    Args:
        record: where they are written down.
        tables: mount tables of processes, as in proc(5); those of all processes when left out.
    """
    with locked(record.parent):
        made = _read(record)
        if not made:
            return
        used = mounted(tables if tables is not None else Path("/proc").glob("[0-9]*/mountinfo"))
        for folder in made - used:
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
        _write(record, {folder for folder in made & used if folder.exists()})


def mounted(tables: Iterable[Path]) -> set[Path]:
    """Return every mount point in these mount tables; the table of a process that has ended is empty."""
    points = set()
    for table in tables:
        try:
            lines = table.read_text().splitlines()
        except OSError:
            continue
        points |= {Path(line.split()[4]) for line in lines}
    return points


def _read(record: Path) -> set[Path]:
    return {Path(folder) for folder in json.loads(record.read_text())} if record.exists() else set()


def _write(record: Path, folders: set[Path]) -> None:
    if folders:
        record.write_text(json.dumps(sorted(map(str, folders))))
    else:
        record.unlink(missing_ok=True)
