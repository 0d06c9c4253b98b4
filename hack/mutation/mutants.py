"""The mutants that mutmut makes of the sources, in the folder mutants/, with the verdicts over them."""

import contextlib
import copy
import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from mutmut.__main__ import create_mutants
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import (
    copy_also_copy_files,
    copy_src_dir,
    setup_source_paths,
    walk_mutatable_files,
)

from mutation.trials import Trials

FOLDER = Path("mutants")
"""Where mutmut puts them, within the working directory."""


class Mutants:
    """All mutants of the sources, with the last verdict over each. Works in the repository's root."""

    def __init__(self, processes: int) -> None:
        """Make the mutants of all functions that have changed since the last time; their verdicts are forgotten."""
        FOLDER.mkdir(exist_ok=True)
        for copied in ("tests", "hack", "operator"):
            shutil.rmtree(FOLDER / copied, ignore_errors=True)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints the name of every file
            copy_src_dir()
            copy_also_copy_files()
            create_mutants(processes)
        self._files: dict[str, SourceFileMutationData] = {}
        for path in walk_mutatable_files():
            file = SourceFileMutationData(path=path)
            file.load()
            self._files |= dict.fromkeys(file.exit_code_by_key, file)

    def select(self, modules: Iterable[str]) -> dict[str, str]:
        """Return the verdicts over the mutants of these modules and packages."""
        prefixes = tuple(f"{module}." for module in modules)
        return {
            name: str(status_by_exit_code[file.exit_code_by_key[name]])
            for name, file in self._files.items()
            if name.startswith(prefixes)
        }

    def tell(self, name: str) -> str:
        """Return what the mutant changes, as a diff."""
        return get_diff_for_mutant(name, path=self._files[name].path)

    def try_out(self, names: list[str], tests: Iterable[str], processes: int) -> int:
        """Try these mutants by these tests, keep the verdicts, and return pytest's exit status."""
        tried = 0

        def note(name: str, ended: int) -> None:
            nonlocal tried
            tried += 1
            file = self._files[name]
            file.exit_code_by_key[name] = ended
            with contextlib.chdir(repository):
                _save(file)
            print(f"\r{tried} of {len(names)} mutants", end="", file=sys.stderr)

        repository = Path.cwd()
        setup_source_paths()
        arguments = ["-qq", "--tb=short", "--assert=plain", "--capture=no", "-p", "no:cacheprovider", "-o", "timeout=0"]
        arguments += config().pytest_add_cli_args
        with _in_folder():
            status = pytest.main([*arguments, *tests], plugins=[Trials(names, note, processes)])
        print(file=sys.stderr)
        return int(status)


def _save(file: SourceFileMutationData) -> None:
    """Write the verdicts aside and then in their place: a command that is stopped meanwhile leaves the earlier ones."""
    unfinished = copy.copy(file)
    unfinished.meta_path = file.meta_path.with_suffix(".unfinished")
    unfinished.save()
    unfinished.meta_path.rename(file.meta_path)


@contextlib.contextmanager
def _in_folder() -> Iterator[None]:
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    with contextlib.chdir(FOLDER):
        yield
