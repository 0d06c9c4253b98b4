"""What a seat reads in a critique, in a debate, in a mixture of agents and in a synthesis."""

import json
import re

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.parse import read_reply
from deliberation.engine.request import build_request
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.chat import Reply
from deliberation.protocol.entries import Abstention, Critique, Stage, Usage
from deliberation.protocol.tasks import ResolvedStrategy
from unit.deliberation.engine.panel import CRITIQUE, PROPOSALS, smallest, text_of
from unit.deliberation.engine.scripted import CHOICE, ballot, build_task, propose, stand

CRITIQUES = [
    Critique(seat="s-1", round=1, texts={"s-0": "too vague", "s-2": "it is all wrong"}),
    Critique(seat="s-2", round=1, texts={"s-0": "too long"}),
]


class TestCritiques:
    standing = stand(CRITIQUE, *PROPOSALS, *CRITIQUES)

    def test_a_critic_reads_all_and_says_something_of_all_others(self) -> None:
        ask = Ask(Stage.CRITIQUE, "s-1", 1)
        request = build_request(CRITIQUE, self.standing, ask)
        assert request.schema is not None
        assert list(request.schema["properties"]) == ["A", "C", "D", "E"]
        assert (request.temperature, request.top_p, request.schema_name) == (0.3, 0.9, "critique")
        entry = read_reply(CRITIQUE, self.standing, ask, Reply(json.dumps(smallest(request.schema)), "stop", Usage()))
        assert isinstance(entry, Critique)
        assert list(entry.texts) == ["s-0", "s-2", "s-3", "s-4"]

    def test_critics_share_all_of_their_prompt_but_the_end(self) -> None:
        texts = [text_of(CRITIQUE, self.standing, Ask(Stage.CRITIQUE, f"s-{i}", 1)) for i in range(5)]
        assert len({text[: text.index("Your role:")] for text in texts}) == 1

    def test_a_reviser_reads_its_answer_and_what_was_said_of_it(self) -> None:
        text = text_of(CRITIQUE, self.standing, Ask(Stage.EXCHANGE, "s-0", 1))
        assert "Go 0 steps." in text
        assert re.findall(r"\[critique ([0-9]) [0-9a-f]{8}\]\n(.*)", text) == [("1", "too vague"), ("2", "too long")]
        assert "Go 1 steps." not in text
        assert "it is all wrong" not in text

    def test_the_second_round_is_about_the_revised_answers(self) -> None:
        gone = [
            Abstention(seat=f"s-{i}", stage=Stage.CRITIQUE, round=1, reason=AbstentionReason.TRUNCATED)
            for i in (0, 3, 4)
        ]
        better = [propose(f"s-{i}", f"Go {i} miles.").model_copy(update={"round": 1}) for i in (0, 2)]
        standing = stand(CRITIQUE, *PROPOSALS, *CRITIQUES, *gone, *better)
        assert "Go 0 miles." in text_of(CRITIQUE, standing, Ask(Stage.CRITIQUE, "s-1", 2))
        assert "Go 0 miles." not in text_of(CRITIQUE, standing, Ask(Stage.CRITIQUE, "s-1", 1))
        assert "Go 0 steps." in text_of(CRITIQUE, standing, Ask(Stage.EXCHANGE, "s-0", 1))


def test_a_debater_reads_closed_answers_with_their_reasons() -> None:
    task = build_task(3, ResolvedStrategy.DEBATE, answer=CHOICE)
    because = [
        propose(f"s-{i}", word).model_copy(update={"rationale": f"{word} is short"})
        for i, word in enumerate(("up", "left", "right"))
    ]
    text = text_of(task, stand(task, *because), Ask(Stage.EXCHANGE, "s-1", 1))
    assert "up\n\nup is short" in text
    assert "Answer B is your own." in text


def test_a_later_layer_reads_all_answers_of_the_layer_before() -> None:
    task = build_task(5, ResolvedStrategy.MIXTURE_OF_AGENTS, rounds=2)
    texts = [text_of(task, stand(task, *PROPOSALS), Ask(Stage.EXCHANGE, f"s-{i}", 1)) for i in range(5)]
    assert all(f"Go {i} steps." in texts[0] for i in range(5))
    assert "your own" not in texts[0].removeprefix(shared_prompt(task))


@pytest.mark.parametrize("ask", [Ask(Stage.CRITIQUE, "s-1", 1), Ask(Stage.EXCHANGE, "s-0", 1), Ask(Stage.JUDGE, "s-2")])
def test_what_is_sent_to_a_seat_is_enough_for_its_request(ask: Ask) -> None:
    standing = stand(CRITIQUE, *PROPOSALS, *CRITIQUES)
    assert build_request(CRITIQUE, standing.show(), ask) == build_request(CRITIQUE, standing, ask)


def test_a_mixture_of_agents_ends_with_a_synthesis_of_the_last_layer() -> None:
    task = build_task(5, ResolvedStrategy.MIXTURE_OF_AGENTS)
    request = build_request(task, stand(task, *PROPOSALS), Ask(Stage.SYNTHESISE, "s-0"))
    assert all(f"Go {i} steps." in request.messages[0]["content"] for i in range(5))
    assert request.max_tokens == task.seats[0].max_tokens


class TestSynthesis:
    def text_after(self, *scores: dict[str, int], top_k: int = 1) -> str:
        task = build_task(len(scores), synthesiser="s-1", top_k=top_k)
        ballots = [ballot(f"s-{judge}", given, task) for judge, given in enumerate(scores)]
        return text_of(task, stand(task, *PROPOSALS[: len(scores)], *ballots), Ask(Stage.SYNTHESISE, "s-1"))

    def test_the_best_are_in_view_in_their_order(self) -> None:
        text = self.text_after({"s-1": 1, "s-2": 5}, {"s-0": 3, "s-2": 5}, {"s-0": 4, "s-1": 2}, top_k=2)
        assert re.findall(r"\[answer ([A-Z]) [0-9a-f]{8}\]\n(Go [0-9])", text) == [("A", "Go 2"), ("B", "Go 0")]
        assert "best first: A, B.\nNo judge puts another answer first." in text

    def test_what_a_dissenting_judge_prefers_is_in_view_even_below_the_best(self) -> None:
        text = self.text_after(
            {"s-1": 1, "s-2": 2, "s-3": 5},
            {"s-0": 1, "s-2": 2, "s-3": 5},
            {"s-0": 5, "s-1": 1, "s-3": 4},
            {"s-0": 3, "s-1": 1, "s-2": 3},
        )
        assert re.findall(r"\[answer ([A-Z]) [0-9a-f]{8}\]\n(Go [0-9])", text) == [("A", "Go 3"), ("B", "Go 0")]
        assert "Of 4 judges, 1 put another answer first: B (1)." in text
