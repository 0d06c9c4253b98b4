"""Tries mutants, each in a child of one pytest session that has collected the tests already.

mutmut's own loop starts pytest anew for each mutant, which takes ten times as long as the tests that notice it.
"""

import gc
import os
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import NoReturn
from unittest import mock

import pytest
from mutmut.mutation import trampoline

KILLED, SURVIVED, NO_TESTS, TIMEOUT = 1, 0, 33, 36
"""Verdicts, by mutmut's exit statuses."""

TEST_LIMIT_S = 5.0
"""CPU time of one test. All take a tenth of it at most, however busy the machine is; one that takes more loops."""

WALL_LIMIT_S = 600
"""Time in which a child that waits for nothing is given up."""

MEMORY_LIMIT_BYTES = 4 << 30
"""A mutant that loops may fill a list, too: it fails before the machine does."""


class BrokenTestsError(Exception):
    """The tests don't tell a mutant from the code as it is: the message says which, or why."""


class Trials:
    """A pytest plugin that runs the collected tests once, as they are, and then for each mutant those that reach it.

    `note` is told the verdict over each mutant; at most `children` are tried at a time.
    """

    def __init__(self, mutants: Sequence[str], note: Callable[[str, int], None], children: int) -> None:
        self._mutants = mutants
        self._note = note
        self._children = children
        self._running: dict[int, str] = {}
        self._is_trying = False
        self._failed: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try all mutants instead of running the tests."""
        reached, seconds = self._watch(session.items)
        self._check(session.items)
        gc.freeze()  # what children share is never copied for the sake of counting references
        for mutant in self._mutants:
            tests = reached[mutant.partition("__mutmut_")[0]]
            while len(self._running) >= self._children:
                self._reap()
            if tests:
                self._running[self._fork(mutant, _order(tests, mutant, seconds))] = mutant
            else:
                self._note(mutant, NO_TESTS)
        while self._running:
            self._reap()
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """End a child with the first failure, before pytest spends most of the time on telling what happened."""
        del item
        if self._is_trying and call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            os._exit(KILLED)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the failures of tests that run on the code as it is; end a child that failed in another way."""
        if report.failed and self._is_trying:
            os._exit(KILLED)
        if report.failed:
            self._failed.append(report.nodeid)

    def _watch(self, items: Sequence[pytest.Item]) -> tuple[dict[str, list[pytest.Item]], dict[pytest.Item, float]]:
        """Run the tests on the code as it is; return the tests that reach each function, and their CPU time."""
        reached: dict[str, list[pytest.Item]] = defaultdict(list)
        seconds: dict[pytest.Item, float] = {}
        functions: set[str] = set()

        def hit(name: str, caller: str | None = None) -> None:
            del caller
            functions.add(name)

        trampoline.set_mutant_under_test("stats")
        with mock.patch.object(trampoline, "record_trampoline_hit", hit):
            for item, following in _pairs(items):
                functions.clear()
                begin = time.process_time()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                seconds[item] = time.process_time() - begin
                for function in functions:
                    reached[function].append(item)
        if self._failed:
            raise BrokenTestsError(f"these tests fail on the code as it is: {', '.join(self._failed)}")
        return reached, seconds

    def _check(self, items: Sequence[pytest.Item]) -> None:
        """Raise BrokenTestsError unless, in a child, the code as it is passes and code that always raises does not."""
        for mutant, expected in (("", SURVIVED), ("fail", KILLED)):
            _, status = os.waitpid(self._fork(mutant, items), 0)
            if os.waitstatus_to_exitcode(status) != expected:
                raise BrokenTestsError(f"a trial of {mutant or 'the code as it is'} ended with {status}")

    def _fork(self, mutant: str, tests: Sequence[pytest.Item]) -> int:
        return os.fork() or self._try(mutant, tests)

    def _try(self, mutant: str, tests: Sequence[pytest.Item]) -> NoReturn:
        self._is_trying = True
        trampoline.set_mutant_under_test(mutant)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
        signal.alarm(WALL_LIMIT_S)
        try:
            for item, following in _pairs(tests):
                signal.setitimer(signal.ITIMER_PROF, TEST_LIMIT_S)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        except BaseException:  # noqa: BLE001  whatever it is, the mutant is not unnoticed, and the child must end here
            os._exit(KILLED)
        os._exit(SURVIVED)

    def _reap(self) -> None:
        pid, status = os.wait()
        ended = os.waitstatus_to_exitcode(status)
        self._note(self._running.pop(pid), TIMEOUT if ended in {-signal.SIGPROF, -signal.SIGALRM} else ended)


def _pairs(items: Sequence[pytest.Item]) -> Iterable[tuple[pytest.Item, pytest.Item | None]]:
    """Return each test and the one after it, as pytest wants to know."""
    return zip_longest(items, items[1:])


def _order(tests: Iterable[pytest.Item], mutant: str, seconds: dict[pytest.Item, float]) -> list[pytest.Item]:
    """Return the tests in the order of running: those of the mutant's own module first, the quickest of all first."""
    own = f"test_{mutant.rpartition('.')[0].rpartition('.')[2]}"
    return sorted(tests, key=lambda test: (not test.path.stem.startswith(own), seconds[test]))
