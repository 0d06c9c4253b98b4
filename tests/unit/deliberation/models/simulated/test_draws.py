"""Draws look like chance and are none."""

from hypothesis import given
from hypothesis import strategies as st

from deliberation.models.simulated.draws import draw, happens, pick


@given(st.lists(st.text()))
def test_the_same_parts_draw_the_same(parts: list[str]) -> None:
    assert draw(*parts) == draw(*parts)
    assert 0 <= draw(*parts) < 2**64


def test_parts_do_not_run_into_each_other() -> None:
    assert draw("ab", "c") != draw("a", "bc")


def test_what_never_happens_never_does_and_what_always_happens_always_does() -> None:
    assert not any(happens(0, number) for number in range(1000))
    assert all(happens(100, number) for number in range(1000))


def test_shares_are_what_they_are_said_to_be() -> None:
    assert 0.27 < sum(happens(30, number) for number in range(3000)) / 3000 < 0.33
    picked = [pick("abc", number) for number in range(3000)]
    assert all(900 < picked.count(letter) < 1100 for letter in "abc")
