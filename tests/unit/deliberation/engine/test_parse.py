import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.deliberation import Answer, AnswerType
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.parse import MAX_ANSWER_BYTES, MAX_RATIONALE_BYTES, read_reply
from deliberation.protocol.chat import Reply
from deliberation.protocol.entries import Abstention, LedgerRecord, Proposal, Stage, Synthesis, Usage, decode_entry
from deliberation.protocol.streams import MAX_MESSAGE_BYTES
from deliberation.protocol.tasks import ResolvedStrategy
from unit.deliberation.engine.scripted import BOOLEAN, CHOICE, NUMBER, build_task, build_vote, propose, stand

USAGE = Usage(calls=1, prompt_tokens=10, completion_tokens=5)
PROPOSE = Ask(Stage.PROPOSE, "s-0")
PANEL = build_task(3)
CRITIQUE = build_task(3, ResolvedStrategy.CRITIQUE, synthesiser="s-0")
PROPOSED = stand(PANEL, propose("s-0", "aa"), propose("s-1", "bb"), propose("s-2", "cc"))


def reply_of(text: str, finish_reason: str = "stop") -> Reply:
    return Reply(text, finish_reason, USAGE)


def read_answer_of(text: str, answer: Answer = CHOICE, finish_reason: str = "stop") -> Proposal | Abstention:
    task = build_vote(3, answer=answer)
    entry = read_reply(task, stand(task), PROPOSE, reply_of(text, finish_reason))
    assert isinstance(entry, Proposal | Abstention)
    assert (entry.seat, entry.usage) == ("s-0", USAGE)
    return entry


def answer_in(text: str, answer: Answer = CHOICE) -> str | None:
    entry = read_answer_of(text, answer)
    return entry.answer if isinstance(entry, Proposal) else None


class TestTexts:
    def test_plain_text_is_the_answer(self) -> None:
        assert read_answer_of("  Go left.\r\nThen right.  ", Answer()) == Proposal(
            seat="s-0", answer="Go left.\nThen right.", usage=USAGE
        )

    @pytest.mark.parametrize("text", ["", "  \n", "\x00", "<think>never ends", "<think>so</think>  "])
    def test_no_text_is_no_answer(self, text: str) -> None:
        entry = read_answer_of(text, Answer())
        assert isinstance(entry, Abstention)
        assert entry == Abstention(
            seat="s-0",
            stage=Stage.PROPOSE,
            reason=AbstentionReason.MALFORMED_ANSWER,
            message="the reply holds no answer of the declared form, or more than one",
            usage=USAGE,
        )

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("<think>hm\nhm</think>\nleft", "left"),
            ("hm hm</think>left", "left"),
            ("Use <think> and </think> in templates", "Use <think> and </think> in templates"),
        ],
    )
    def test_thinking_is_no_part_of_the_answer(self, text: str, answer: str) -> None:
        assert answer_in(text, Answer()) == answer

    def test_controls_and_lone_surrogates_are_taken_out(self) -> None:
        assert answer_in("a\x00\x1b[31mb\ud800c\x7f\x9b", Answer()) == "a[31mb?c"

    def test_a_text_that_met_the_token_limit_is_an_answer_and_says_so(self) -> None:
        entry = read_answer_of("It is because", Answer(), "length")
        assert isinstance(entry, Proposal)
        assert (entry.answer, entry.cut_off) == ("It is because", True)

    @pytest.mark.parametrize("character", ["a", '"', "\n1", "😀", "\\"])
    def test_the_longest_answer_fits_one_message(self, character: str) -> None:
        entry = read_answer_of(character * MAX_ANSWER_BYTES, Answer())
        assert isinstance(entry, Proposal)
        assert MAX_ANSWER_BYTES - 4 <= len(entry.answer.encode()) <= MAX_ANSWER_BYTES
        assert entry.cut_off == (len(character.encode()) > 1)
        assert len(entry.encode()) < MAX_MESSAGE_BYTES


PORT = Answer(
    type=AnswerType.JSON,
    json_schema={"type": "object", "properties": {"port": {"type": "integer"}}, "required": ["port"]},
)


class TestJson:
    @pytest.mark.parametrize(
        "text",
        [
            '{"rationale": "why", "answer": {"port": 80, "host": "a"}}',
            'Here: ```json\n{"answer": {"host": "a", "port": 80.0}, "rationale": "why"}\n```',
            '{"rationale": "no answer yet"} {"rationale": "why", "answer": {"port": 80, "host": "a"}}',
        ],
    )
    def test_an_answer_is_read_in_its_one_spelling(self, text: str) -> None:
        entry = read_answer_of(text, PORT)
        assert isinstance(entry, Proposal)
        assert (entry.answer, entry.rationale) == ('{"host":"a","port":80}', "why")

    @pytest.mark.parametrize("text", ['{"port": 80}', 'Use {"port": 80.0}.', '{"answer": "the port", "port": 80}'])
    def test_the_object_itself_may_be_the_answer(self, text: str) -> None:
        assert (answer_in(text, PORT) or "").endswith('"port":80}')

    @pytest.mark.parametrize(
        "text",
        [
            "80",
            '{"answer": {"port": "80"}}',
            '{"answer": {"port": 80, "port": 81}}',
            '{"port": 80} {"port": 81}',
            '{"answer": {"port": 80',
            '{"answer": {"port": 1e400}}',
        ],
    )
    def test_what_does_not_satisfy_the_schema_is_none(self, text: str) -> None:
        assert answer_in(text, PORT) is None


def test_a_number_may_come_with_its_unit() -> None:
    latency = Answer(type=AnswerType.NUMBER, unit="ms")
    assert answer_in('{"rationale": "why", "answer": "1,200 ms"}', latency) == "1200"
    assert answer_in("**42 ms**", latency) == "42"
    assert answer_in('{"rationale": "why", "answer": "1.2 s"}', latency) is None


class TestClosedAnswers:
    @pytest.mark.parametrize(
        "text",
        [
            '{"rationale": "why", "answer": "left"}',
            '```json\n{"rationale": "why", "answer": "LEFT "}\n```',
            'Sure! Here it is: {"rationale": "why", "answer": "Left"} Hope it helps {:',
            '{"answer": "<one of the choices>"}\n{"rationale": "why", "answer": "left"}',
            '{{"rationale": "why", "answer": "left"}}',
            '{"rationale": "why", "answer": "left"} {"rationale": "again", "answer": "left"}',
            '<think>{"answer": "right"}</think>{"rationale": "why", "answer": "left"}',
        ],
    )
    def test_an_answer_in_json_is_read_wherever_it_stands(self, text: str) -> None:
        assert read_answer_of(text) == Proposal(seat="s-0", answer="left", rationale="why", usage=USAGE)

    @pytest.mark.parametrize("text", ["left", " Left.", '"left"', "**left**.", "`LEFT`", "le ft"])
    def test_a_bare_answer_is_read(self, text: str) -> None:
        assert answer_in(text) == (None if " f" in text else "left")

    def test_a_choice_that_ends_in_a_period_is_taken_as_it_is_declared(self) -> None:
        answer = CHOICE.model_copy(update={"choices": ("a", "a.")})
        assert answer_in("a.", answer) == "a."
        assert answer_in("a", answer) == "a"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "I would go left, or maybe right",
            '{"answer": "sideways"}',
            '{"answer": null}',
            '{"answer": ["left"]}',
            '{"answer": {"answer": "left"}}',
            '{"choice": "left"}',
            '{"answer": "left", "answer": "right"}',
            '{"answer": "left"} no, wait: {"answer": "right"}',
            '{"rationale": "cut in the midd',
            '{"answer": NaN}',
            "[" * 100_000,
            '{"answer":' * 100_000,
            '{"answer": 1e999999999999999999999}',
        ],
    )
    def test_what_holds_no_single_answer_is_an_abstention(self, text: str) -> None:
        entry = read_answer_of(text)
        assert isinstance(entry, Abstention)
        assert entry.reason is AbstentionReason.MALFORMED_ANSWER

    def test_a_reply_cut_off_before_its_answer_says_so(self) -> None:
        entry = read_answer_of('{"rationale": "because of', CHOICE, "length")
        assert isinstance(entry, Abstention)
        assert entry.reason is AbstentionReason.TRUNCATED
        assert entry.message == (
            "the reply met the token limit before it held an answer: raise the member's sampling.maxTokens"
        )

    def test_a_reply_cut_off_after_its_answer_is_an_answer(self) -> None:
        assert isinstance(read_answer_of('{"answer": "left"} and', CHOICE, "length"), Proposal)

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ('{"answer": 42}', "42"),
            ('{"answer": 42.50}', "42.5"),
            ('{"answer": "1,234"}', "1234"),
            ('{"answer": 1e3}', "1000"),
            ("-0.0", "0"),
            (".5", "0.5"),
            ("5.", "5"),
            ('{"answer": true}', None),
            ('{"answer": 1e400}', None),
            ('{"answer": "forty"}', None),
            ('{"answer": ' + "9" * 5000 + "}", None),
        ],
    )
    def test_numbers(self, text: str, answer: str | None) -> None:
        assert answer_in(text, NUMBER) == answer

    @pytest.mark.parametrize(
        ("text", "answer"),
        [('{"answer": true}', "true"), ('{"answer": "No"}', "false"), ("Yes.", "true"), ('{"answer": 1}', None)],
    )
    def test_booleans(self, text: str, answer: str | None) -> None:
        assert answer_in(text, BOOLEAN) == answer

    @pytest.mark.parametrize(("given", "kept"), [("x" * 9999, "x" * MAX_RATIONALE_BYTES), ("a\x00b", "ab"), (7, "")])
    def test_the_rationale_is_bounded_and_clean(self, given: object, kept: str) -> None:
        entry = read_answer_of(json.dumps({"rationale": given, "answer": "left"}))
        assert isinstance(entry, Proposal)
        assert entry.rationale == kept


PIECES = st.lists(
    st.sampled_from(
        [
            '{"answer":',
            '"left"',
            "}",
            "{",
            '"A":',
            '"B":',
            '{"clarity":3}',
            "1e9999",
            "NaN",
            "[",
            "<think>",
            "\ud800",
            "\x00",
        ]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)


@given(PIECES, st.sampled_from([CHOICE, NUMBER, BOOLEAN, Answer()]), st.sampled_from(["stop", "length", "nonsense"]))
@example('{"answer": "\\ud800"}', Answer(), "stop")
@example('{"answer": "\\ud800", "rationale": "\\ud800"}', CHOICE, "stop")
@example('{"answer": "left", "rationale": "\\ud800"}', CHOICE, "stop")
def test_whatever_a_model_writes_becomes_an_entry_that_the_ledger_takes(
    text: str, answer: Answer, finish_reason: str
) -> None:
    task = build_vote(1, answer=answer)
    entry = read_reply(task, stand(task), PROPOSE, reply_of(text, finish_reason))
    assert decode_entry(entry.encode()) == entry
    standing = fold(task, [LedgerRecord(1, entry.key, entry)])
    assert not standing.rejected
    assert Ask(Stage.PROPOSE, "s-0") not in standing.missing


def test_a_revision_and_a_synthesis_are_read_as_answers() -> None:
    revised = read_reply(CRITIQUE, PROPOSED, Ask(Stage.EXCHANGE, "s-1", 2), reply_of("better"))
    assert revised == Proposal(seat="s-1", round=2, answer="better", usage=USAGE)
    synthesis = read_reply(CRITIQUE, PROPOSED, Ask(Stage.SYNTHESISE, "s-0"), reply_of("the best", "length"))
    assert synthesis == Synthesis(seat="s-0", answer="the best", cut_off=True, usage=USAGE)
    closed = build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS, answer=CHOICE)
    nothing = read_reply(closed, PROPOSED, Ask(Stage.SYNTHESISE, "s-0"), reply_of("sideways"))
    assert isinstance(nothing, Abstention)
    assert nothing.stage is Stage.SYNTHESISE


def test_a_sample_knows_its_number() -> None:
    assert read_reply(PANEL, PROPOSED, Ask(Stage.PROPOSE, "s-0", 0, 2), reply_of("x")) == Proposal(
        seat="s-0", sample=2, answer="x", usage=USAGE
    )


def test_a_letter_at_the_end_of_a_choice_is_none_of_its_wrapping() -> None:
    assert answer_in("**UX**.", Answer(type=AnswerType.CHOICE, choices=("UX", "backend"))) == "UX"


def test_a_synthesis_of_a_closed_answer_keeps_its_reasons() -> None:
    closed = CRITIQUE.model_copy(update={"answer": CHOICE})
    reply = reply_of('{"answer": "left", "rationale": "shorter"}')
    synthesis = read_reply(closed, PROPOSED, Ask(Stage.SYNTHESISE, "s-0"), reply)
    assert synthesis == Synthesis(seat="s-0", answer="left", rationale="shorter", usage=USAGE)
