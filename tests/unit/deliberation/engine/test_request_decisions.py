"""Ballots that a decisions endpoint reads off the next token."""

import json
import re
from dataclasses import replace

import pytest

from deliberation.api.v1alpha1.strategy import Judging
from deliberation.engine.asks import Ask
from deliberation.engine.parse import read_reply
from deliberation.engine.request import LEVELS, find_repair
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.chat import ChatRequest, Decisions, Reply
from deliberation.protocol.entries import Ballot, Stage, Usage
from unit.deliberation.engine.panel import PANEL, PROPOSED, request_of


class TestDecisions:
    TASK = PANEL.model_copy(update={"judging": Judging.DECISIONS})

    def ask(self) -> tuple[ChatRequest, Decisions]:
        request = request_of(Stage.JUDGE, "s-1", self.TASK)
        assert request.decisions is not None
        return request, request.decisions

    def test_a_ballot_is_asked_as_one_question_for_each_proposal_and_criterion(self) -> None:
        _, decisions = self.ask()
        asked = [(question.label, question.criterion) for question in decisions.questions]
        assert asked == [(label, one.name) for label in "ABCD" for one in self.TASK.criteria]
        assert {question.levels for question in decisions.questions} == {LEVELS}
        assert decisions.questions[0].instructions == (
            "How good is answer A, by this criterion alone: "
            "correctness: Is it right, and does it meet every requirement?"
        )

    def test_it_is_about_the_same_proposals_in_the_same_order(self) -> None:
        request, decisions = self.ask()
        answers = re.compile(r"^\[answer ([A-Z]+) [0-9a-f]{8}\]\n(.*)$", re.MULTILINE)
        assert len(answers.findall(decisions.input)) == 4
        assert answers.findall(decisions.input) == answers.findall(request.messages[0]["content"])
        assert decisions.input.startswith(shared_prompt(self.TASK))
        assert "JSON" not in decisions.input.removeprefix(shared_prompt(self.TASK))

    def test_the_same_can_be_asked_in_words(self) -> None:
        request, _ = self.ask()
        assert replace(request, decisions=None) == request_of(Stage.JUDGE, "s-1")

    def test_nothing_else_is_decided(self) -> None:
        assert request_of(Stage.PROPOSE, "s-1", self.TASK).decisions is None

    def test_what_was_refused_is_asked_for_in_words(self) -> None:
        request, _ = self.ask()
        entry = read_reply(self.TASK, PROPOSED, Ask(Stage.JUDGE, "s-1"), Reply("{}", "stop", Usage(), decided=True))
        repair = find_repair(self.TASK, request, Reply("{}", "stop", Usage(), decided=True), entry)
        assert repair is not None
        assert repair.decisions is None

    @pytest.mark.parametrize(("decided", "told"), [(True, True), (False, None)])
    def test_a_ballot_says_that_it_was_decided(self, *, decided: bool, told: bool | None) -> None:
        scores = {label: dict.fromkeys((one.name for one in self.TASK.criteria), 3) for label in "ABCD"}
        reply = Reply(json.dumps(scores), "stop", Usage(), decided=decided)
        ballot = read_reply(self.TASK, PROPOSED, Ask(Stage.JUDGE, "s-1"), reply)
        assert isinstance(ballot, Ballot)
        assert ballot.decided is told
