import pytest

from deliberation.engine.texts import clean, cut, drop_thinking


def test_control_characters_never_reach_a_terminal_but_lines_and_tabs_do() -> None:
    assert clean("a\tb\nc") == "a\tb\nc"
    controls = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0)]))
    assert clean(f"a{controls}b") == "ab"
    assert clean("\x00 so \x1f") == "so"


def test_lines_end_by_newlines_alone() -> None:
    assert clean("one\r\ntwo\rthree\n\rfour") == "one\ntwo\nthree\n\nfour"


def test_half_of_a_character_becomes_a_question_mark() -> None:
    assert clean("a\ud83db") == "a?b"


@pytest.mark.parametrize(
    ("max_bytes", "kept"), [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (6, "aé"), (7, "aé😀"), (99, "aé😀")]
)
def test_a_text_is_cut_between_two_characters(max_bytes: int, kept: str) -> None:
    assert cut("aé😀", max_bytes) == kept


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so", "so"),
        ("<think>hm</think>so", "so"),
        (" \n<think>hm</think>so", "so"),
        ("hm</think>so", "so"),
        ("<think>hm", ""),
        (" <think>hm", ""),
        ("so <think>hm", "so <think>hm"),
        ("so <think>hm</think> it is", "so <think>hm</think> it is"),
        ("<think>a</think>b</think>c", "b</think>c"),
    ],
)
def test_what_a_model_thought_before_is_no_part_of_its_answer(text: str, answer: str) -> None:
    assert drop_thinking(text) == answer
