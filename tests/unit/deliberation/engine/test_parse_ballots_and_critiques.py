"""What judges and critics write about the proposals of others."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.parse import read_reply
from deliberation.protocol.entries import Abstention, Ballot, Critique, Stage, decode_entry
from unit.deliberation.engine.scripted import propose, stand
from unit.deliberation.engine.test_parse import CRITIQUE, PANEL, PIECES, PROPOSED, USAGE, reply_of


def read_ballot_of(text: str, judge: str = "s-0", finish_reason: str = "stop") -> Ballot | Abstention:
    entry = read_reply(PANEL, PROPOSED, Ask(Stage.JUDGE, judge), reply_of(text, finish_reason))
    assert isinstance(entry, Ballot | Abstention)
    assert entry.usage == USAGE
    return entry


def scores(value: object = 3) -> dict[str, Any]:
    return {"correctness": value, "completeness": value, "clarity": value}


def scores_in(text: str, judge: str = "s-0") -> Mapping[str, int] | None:
    entry = read_ballot_of(text, judge)
    return {s.proposal: s.criteria["clarity"] for s in entry.scores} if isinstance(entry, Ballot) else None


class TestBallots:
    def test_labels_become_seats(self) -> None:
        text = json.dumps({"rationale": "fair", "A": scores(2), "B": scores(5)})
        entry = read_ballot_of(text)
        assert isinstance(entry, Ballot)
        assert (entry.judge, entry.order, entry.rationale) == ("s-0", 0, "fair")
        assert {score.proposal: score.criteria for score in entry.scores} == {"s-1": scores(2), "s-2": scores(5)}

    def test_the_labels_of_the_second_order_count_from_the_end(self) -> None:
        text = json.dumps({"A": scores(2), "B": scores(5)})
        first, second = (
            read_reply(PANEL, PROPOSED, Ask(Stage.JUDGE, "s-0", 0, order), reply_of(text)) for order in (0, 1)
        )
        assert isinstance(first, Ballot)
        assert isinstance(second, Ballot)
        assert (first.order, second.order) == (0, 1)
        assert [score.proposal for score in first.scores] == [score.proposal for score in reversed(second.scores)]

    def test_scores_of_no_proposal_are_left_out(self) -> None:
        text = json.dumps({"A": scores(2), "B": scores(3), "C": scores(5)})
        assert scores_in(text) == {"s-1": 2, "s-2": 3}

    def test_whole_numbers_may_be_written_with_a_point(self) -> None:
        assert scores_in(json.dumps({"A": scores(4.0), "B": scores(1)})) == {
            "s-1": 4,
            "s-2": 1,
        }

    @pytest.mark.parametrize("score", [0, 6, 3.5, "3", True, None, [], 1e300])
    def test_what_is_no_score_makes_no_ballot(self, score: object) -> None:
        assert scores_in(json.dumps({"A": scores(score), "B": scores()})) is None

    @pytest.mark.parametrize(
        "text",
        [
            "B is best",
            json.dumps({"A": scores()}),
            json.dumps({"A": scores(), "B": {"clarity": 3}}),
            json.dumps({"A": scores(), "B": 3}),
            json.dumps({"a": scores(), "b": scores()}),
            json.dumps({"A": scores(), "B": scores(1)}) + json.dumps({"A": scores(), "B": scores(2)}),
            '{"A": %s, "B": %s, "B": %s}' % ((json.dumps(scores()),) * 3),
        ],
    )
    def test_an_incomplete_or_ambiguous_ballot_is_an_abstention(self, text: str) -> None:
        entry = read_ballot_of(text)
        assert isinstance(entry, Abstention)
        assert (entry.seat, entry.stage, entry.reason) == ("s-0", "judge", AbstentionReason.MALFORMED_ANSWER)

    def test_a_ballot_that_is_cut_off_says_so(self) -> None:
        entry = read_ballot_of(json.dumps({"A": scores(), "B": scores()})[:-9], finish_reason="length")
        assert isinstance(entry, Abstention)
        assert entry.reason is AbstentionReason.TRUNCATED
        assert entry.message == "the reply met the token limit before it held a complete ballot"

    def test_an_abstention_is_in_the_place_of_its_ballot(self) -> None:
        ask = Ask(Stage.JUDGE, "s-0", 1, 1)
        entry = read_reply(PANEL, PROPOSED, ask, reply_of("All are fine."))
        assert isinstance(entry, Abstention)
        assert (entry.seat, entry.stage, entry.round, entry.turn) == ("s-0", Stage.JUDGE, 1, 1)

    def test_the_first_of_two_equal_ballots_gives_the_reasons(self) -> None:
        given = {"A": scores(), "B": scores()}
        first, again = ({"rationale": word, **given} for word in ("first", "again"))
        entry = read_ballot_of(json.dumps(first) + json.dumps(again))
        assert isinstance(entry, Ballot)
        assert entry.rationale == "first"

    def test_it_is_filed_under_its_round(self) -> None:
        text = json.dumps({"A": scores(), "B": scores()})
        entry = read_reply(PANEL, PROPOSED, Ask(Stage.JUDGE, "s-0", 1), reply_of(text))
        assert isinstance(entry, Ballot)
        assert (entry.round, entry.rationale) == (1, "")


@given(PIECES)
def test_whatever_a_judge_writes_becomes_an_entry_that_the_ledger_takes(text: str) -> None:
    entry = read_reply(PANEL, PROPOSED, Ask(Stage.JUDGE, "s-1"), reply_of(text))
    assert decode_entry(entry.encode()) == entry
    proposals = [propose("s-0"), propose("s-1"), propose("s-2")]
    standing = stand(PANEL, *proposals, entry)
    assert not standing.rejected
    assert Ask(Stage.JUDGE, "s-1") not in standing.missing


class TestFaultsOfBallots:
    """What a judge is told that is asked again."""

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("All are fine.", "the reply holds no whole JSON object"),
            (json.dumps({"A": scores()}), "the reply has no whole number from 1 to 5 for correctness of answer B"),
            (
                json.dumps({"A": scores(), "B": {"correctness": 2, "completeness": 9}}),
                "the reply has no whole number from 1 to 5 for completeness of answer B",
            ),
            (
                json.dumps({"A": scores(), "B": scores(1)}) + json.dumps({"A": scores(), "B": scores(2)}),
                "the reply holds 2 different ballots",
            ),
        ],
    )
    def test_the_fault_is_named(self, text: str, fault: str) -> None:
        entry = read_ballot_of(text)
        assert isinstance(entry, Abstention)
        assert entry.message == fault


CRITICISE = Ask(Stage.CRITIQUE, "s-1", 1)


def read_critique_of(text: str, finish_reason: str = "stop") -> Critique | Abstention:
    entry = read_reply(CRITIQUE, PROPOSED, CRITICISE, reply_of(text, finish_reason))
    assert isinstance(entry, Critique | Abstention)
    assert (entry.seat, entry.round, entry.usage) == ("s-1", 1, USAGE)
    return entry


class TestCritiques:
    @pytest.mark.parametrize(
        ("text", "texts"),
        [
            ('{"A": "too long", "C": "too short"}', {"s-0": "too long", "s-2": "too short"}),
            ('{"A": "too long"}', {"s-0": "too long"}),
            ('{"A": "too long", "B": "mine is good", "D": "?"}', {"s-0": "too long"}),
            ('First: {"A": "one"} {"A": "two", "C": "three"}', {"s-0": "one", "s-2": "three"}),
            ('{"A": "", "C": 3, "rationale": "x"} {"C": "\\u0000so"}', {"s-2": "so"}),
        ],
    )
    def test_what_is_said_of_others_counts(self, text: str, texts: dict[str, str]) -> None:
        entry = read_critique_of(text)
        assert isinstance(entry, Critique)
        assert entry.texts == texts

    @pytest.mark.parametrize("text", ["", "All are bad", '{"B": "mine"}', '{"A": ["bad"]}', '{"A": "cut in the mid'])
    def test_a_critique_of_nobody_is_an_abstention(self, text: str) -> None:
        entry = read_critique_of(text)
        assert isinstance(entry, Abstention)
        assert entry.message == "the reply criticises none of the answers that it was shown"

    def test_one_that_is_cut_off_says_so(self) -> None:
        entry = read_critique_of('{"A": "cut', "length")
        assert isinstance(entry, Abstention)
        assert entry.reason is AbstentionReason.TRUNCATED
        assert entry.message == "the reply met the token limit before it held a critique"

    def test_it_is_bounded(self) -> None:
        entry = read_critique_of(json.dumps({"A": "x" * 100_000}))
        assert isinstance(entry, Critique)
        assert len(entry.texts["s-0"]) == 1200
