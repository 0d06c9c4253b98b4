"""The verdict over mutants."""

from mutation.__main__ import EQUIVALENTS, _read_equivalents
from mutation.survivors import Equivalent, Tally, read_change, record, tabulate, tally

VERDICTS = {
    "deliberation.engine.fold.x_fold__mutmut_1": "killed",
    "deliberation.engine.fold.x_fold__mutmut_2": "survived",
    "deliberation.engine.step.x_step__mutmut_1": "not checked",
    "deliberation.protocol.chat.x_say__mutmut_1": "timeout",
}

DIFF = """\
# deliberation.engine.fold.x_fold__mutmut_2: survived
--- src/deliberation/engine/fold.py
+++ src/deliberation/engine/fold.py
@@ -1,3 +1,3 @@
     same
-    if total < 2:
+    if total <= 2:
"""

CHANGE = "- if total < 2:\n+ if total <= 2:"


def test_a_change_is_what_a_diff_changes() -> None:
    assert read_change(DIFF) == CHANGE


def test_survivors_are_those_that_no_reason_explains() -> None:
    verdicts = {"a": "killed", "b": "timeout", "c": "survived", "d": "no tests", "e": "not checked"}
    changes = {"c": CHANGE, "d": "- x\n+ y"}
    assert tally(verdicts, changes, ()) == Tally(4, 0, changes, untried=1)
    assert tally(verdicts, changes, [Equivalent("total <", "as good")]) == Tally(4, 1, {"d": "- x\n+ y"}, untried=1)


def test_few_survivors_are_good_and_nothing_tried_is_not() -> None:
    assert Tally(40, 0, {"a": "", "b": ""}).is_good
    assert not Tally(39, 0, {"a": "", "b": ""}).is_good
    assert not Tally(0, 0, {}).is_good


def test_the_table_counts_by_module() -> None:
    table = tabulate(VERDICTS)
    assert [line.split(maxsplit=1) for line in table.splitlines()] == [
        ["deliberation.engine.fold", "1 killed, 1 survived"],
        ["deliberation.engine.step", "1 not checked"],
        ["deliberation.protocol.chat", "1 timeout"],
    ]


def test_the_record_tells_each_package_and_what_is_not_known_of_it() -> None:
    tallies = {
        "deliberation.engine": Tally(200, 10, {"a": "", "b": ""}, untried=7),
        "deliberation.protocol": Tally(3, 0, {}),
    }
    page = record(tallies, "abc1234")
    assert "At commit abc1234:" in page
    assert "At most 5 % may survive." in page
    assert page.splitlines()[-2:] == [
        "| deliberation.engine | 200 | 188 | 10 | 2 | 1.0 % | 7 |",
        "| deliberation.protocol | 3 | 3 | 0 | 0 | 0.0 % | 0 |",
    ]


def test_every_known_equivalent_has_a_reason() -> None:
    assert EQUIVALENTS.exists()
    assert all(len(one.reason) > 20 for one in _read_equivalents())
