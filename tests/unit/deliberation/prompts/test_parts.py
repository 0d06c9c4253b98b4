import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.prompts import parts
from deliberation.prompts.parts import Part, choose_mark, enclose

TEXTS = st.lists(st.text(alphabet=st.sampled_from("0123456789abcdef\n[]")) | st.text(), max_size=4)


@given(TEXTS)
def test_a_mark_occurs_in_no_text_and_is_always_the_same(texts: list[str]) -> None:
    mark = choose_mark(texts)
    assert len(mark) == 8
    assert not any(mark in text for text in texts)
    assert choose_mark(texts) == mark


def test_a_mark_depends_on_where_one_text_ends_and_the_next_begins() -> None:
    assert choose_mark(["ab", "c"]) != choose_mark(["a", "bc"])


def test_a_mark_that_a_text_holds_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_MARK_LENGTH", 1)
    assert choose_mark(["0123456", "789abcde"]) == "f"


def test_a_lone_surrogate_is_no_obstacle() -> None:
    assert choose_mark(["\ud800"])


def test_parts_stand_between_lines_with_the_mark() -> None:
    enclosed = (Part("question", "Why?\n[end 1234]"), Part("context a", "Because."))
    assert enclose(enclosed, "feed") == (
        "[question feed]\nWhy?\n[end 1234]\n[end feed]\n\n[context a feed]\nBecause.\n[end feed]"
    )
