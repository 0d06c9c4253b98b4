from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.aggregation.answers import fold_text, read_answer, read_number, spell_number
from deliberation.api.v1alpha1.deliberation import Answer, AnswerType

TEXT = Answer()
CHOICE = Answer(type=AnswerType.CHOICE, choices=("New York", "newark", "Newark"))
NUMBER = Answer(type=AnswerType.NUMBER)
BOOLEAN = Answer(type=AnswerType.BOOLEAN)
LATENCY = Answer(type=AnswerType.NUMBER, unit="ms")
MINUTES = Answer(type=AnswerType.NUMBER, unit="minutes")
PRICE = Answer(type=AnswerType.NUMBER, unit="$")
JSON = Answer(type=AnswerType.JSON, json_schema={"type": "object", "required": ["port"]})


@pytest.mark.parametrize(("text", "answer"), [(" Go  left\n", "Go  left"), ("", None), (" \n\t", None)])
def test_a_text_keeps_its_wording(text: str, answer: str | None) -> None:
    assert read_answer(text, TEXT) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("New York", "New York"),
        (" new   YORK ", "New York"),
        ("newark", "newark"),
        ("Newark", "Newark"),
        ("NEWARK", None),
        ("York", None),
        ("", None),
    ],
)
def test_a_choice_takes_its_declared_spelling_if_there_is_only_one(text: str, answer: str | None) -> None:
    assert read_answer(text, CHOICE) == answer


def test_without_choices_nothing_is_one() -> None:
    assert read_answer("a", Answer(type=AnswerType.CHOICE)) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        (" +42.50 ", "42.5"),
        ("-0.0", "0"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("2.5E-3", "0.0025"),
        ("1,234,567.8", "1234567.8"),
        ("1 234", "1234"),
        ("1_234", "1234"),
        ("1'234", "1234"),
        ("1\u202f234\u00a0567", "1234567"),
        ("9" * 28, "9" * 28),
        ("0." + "3" * 40, "0." + "3" * 28),
    ],
)
def test_numbers_in_plain_digits(text: str, number: str) -> None:
    assert read_answer(text, NUMBER) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "-", "e5", "1,23", "12,3456", "1.2.3", "12 34", "1/2", "½", "0x10", "42 km", "NaN", "Infinity"),
        *("\u0661\u0662", "1e31", "1e-31", "1e9999", "1" + "0" * 30, "9" * 30, "9" * 65),
    ],
)
def test_what_is_no_number_or_an_impossible_one(text: str) -> None:
    assert read_answer(text, NUMBER) is None


@pytest.mark.parametrize(
    ("text", "answer", "number"),
    [
        ("42", LATENCY, "42"),
        ("42 ms", LATENCY, "42"),
        (" 1,000ms ", LATENCY, "1000"),
        ("-4.20e1 ms", LATENCY, "-42"),
        ("5 minutes", MINUTES, "5"),
        ("1 Minute", MINUTES, "1"),
        ("$12.50", PRICE, "12.5"),
        ("12.50 $", PRICE, "12.5"),
    ],
)
def test_a_number_may_be_written_with_its_unit(text: str, answer: Answer, number: str) -> None:
    assert read_answer(text, answer) == number


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("42 s", LATENCY),
        ("42 MS", LATENCY),
        ("ms 42", LATENCY),
        ("ms", LATENCY),
        ("42 ms 3", LATENCY),
        ("5 min", MINUTES),
        ("5 hours", MINUTES),
        ("€5", PRICE),
        ("$", PRICE),
        ("$$5", PRICE),
    ],
)
def test_another_unit_is_no_answer(text: str, answer: Answer) -> None:
    assert read_answer(text, answer) is None


def test_json_is_spelled_in_one_way_and_satisfies_its_schema() -> None:
    assert read_answer(' {"port": 8.0e1, "host": "a"}\n', JSON) == '{"host":"a","port":80}'
    assert read_answer('{"host": "a"}', JSON) is None
    assert read_answer("port 80", JSON) is None


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=6))
def test_a_number_s_spelling_is_read_back(number: Decimal) -> None:
    spelling = spell_number(number)
    assert read_number(spelling) == number
    assert read_answer(spelling, NUMBER) == spelling


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", "true"),
        (" TRUE ", "true"),
        ("no", "false"),
        ("False", "false"),
        ("maybe", None),
        ("", None),
        ("1", None),
    ],
)
def test_booleans(text: str, answer: str | None) -> None:
    assert read_answer(text, BOOLEAN) == answer


@given(st.text(max_size=40), st.sampled_from([TEXT, CHOICE, NUMBER, LATENCY, MINUTES, PRICE, BOOLEAN, JSON]))
def test_an_answer_that_was_read_reads_as_itself(text: str, answer: Answer) -> None:
    read = read_answer(text, answer)
    assert read is None or read_answer(read, answer) == read


@pytest.mark.parametrize(("one", "other"), [("Straße", "STRASSE"), (" a\n b", "A B"), ("", " ")])
def test_case_and_white_space_make_no_difference_between_texts(one: str, other: str) -> None:
    assert fold_text(one) == fold_text(other)
    assert fold_text(" Straße\n B") == "strasse b"


@pytest.mark.parametrize("number", ["0", "-0", "0E+5", "-0.00"])
def test_nothing_is_spelled_as_zero(number: str) -> None:
    assert spell_number(Decimal(number)) == "0"


@pytest.mark.parametrize(("unit", "text", "answer"), [("hour", "3 Hours", "3"), ("sec", "3 Sec", None)])
def test_words_of_four_letters_may_differ_in_case_and_plural(unit: str, text: str, answer: str | None) -> None:
    assert read_answer(text, Answer(type=AnswerType.NUMBER, unit=unit)) == answer
