"""What is right depends on the question alone."""

from deliberation.models.simulated.truth import WORDS, is_right, propose_text, right, right_number, right_word


def test_every_option_is_right_for_some_question() -> None:
    questions = [f"question {number}" for number in range(500)]
    assert {right_word(question) for question in questions} == set(WORDS)
    assert {right(question, ("yes", "no")) for question in questions} == {"yes", "no"}
    assert len({right_number(question) for question in questions}) > 90


def test_only_what_is_right_is_right() -> None:
    assert [word for word in WORDS if is_right("q", (), propose_text(word))] == [right_word("q")]
    assert [choice for choice in "abc" if is_right("q", "abc", choice)] == [right("q", "abc")]
    assert is_right("q", (), f" {right_number('q')}\n")
    assert not is_right("q", (), str(right_number("q") + 1))
