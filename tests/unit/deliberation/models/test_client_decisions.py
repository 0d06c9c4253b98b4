"""Ballots by a decisions endpoint, and by chat where a server has none."""

from dataclasses import replace

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.models.client import ChatClient
from deliberation.protocol.chat import Decisions, ModelError, Reply, ScoreQuestion
from deliberation.protocol.entries import Usage
from unit.deliberation.models.chat_server import KEY, REQUEST, FakeChatServer, FakeClock, keyed, says

DECIDING = replace(
    REQUEST, decisions=Decisions("the answers", (ScoreQuestion("A", "clarity", "How?", ("bad", "good")),))
)
DECIDED = {
    "answers": [
        {"type": "score", "name": "A.clarity.up", "score": 0.9},
        {"type": "score", "name": "A.clarity.down", "score": 0.2},
    ],
    "usage": {"input_tokens": 30, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 16}},
}


class TestDecisions:
    async def test_the_answers_are_a_ballot(self, client: ChatClient, server: FakeChatServer, clock: FakeClock) -> None:
        server.answers = [says(503), says(body=DECIDED)]
        reply = await client.complete(server.address(), keyed(KEY), DECIDING, 10_000, clock)
        assert reply == Reply('{"A": {"clarity": 2}}', "stop", usage_of_decisions(), decided=True)
        assert [request.path for request in server.requests] == ["/v1/decisions"] * 2
        assert server.bodies[1]["input"] == "the answers"

    async def test_what_many_questions_cost_is_added_up(
        self, client: ChatClient, server: FakeChatServer, clock: FakeClock
    ) -> None:
        server.answers = [says(body=DECIDED)]
        asked = tuple(ScoreQuestion("A", f"c-{number}", "How?", ("bad", "good")) for number in range(33))
        request = replace(REQUEST, decisions=Decisions("the answers", asked))
        reply = await client.complete(server.address(), keyed(KEY), request, 10_000, clock)
        assert (reply.usage.calls, reply.usage.prompt_tokens) == (2, 60)

    @pytest.mark.parametrize("status", [404, 405, 501])
    async def test_a_server_without_the_endpoint_is_asked_in_words_from_then_on(
        self, client: ChatClient, server: FakeChatServer, clock: FakeClock, status: int
    ) -> None:
        server.answers = [says(status, {}), says()]
        for _ in range(2):
            reply = await client.complete(server.address(), keyed(KEY), DECIDING, 10_000, clock)
            assert (reply.text, reply.decided) == ("the answer", False)
        chat = "/v1/chat/completions"
        assert [request.path for request in server.requests] == ["/v1/decisions", chat, chat]

    async def test_another_model_of_that_server_may_have_it(
        self, client: ChatClient, server: FakeChatServer, clock: FakeClock
    ) -> None:
        server.answers = [says(501, {}), says(), says(body=DECIDED)]
        await client.complete(server.address(), keyed(KEY), DECIDING, 10_000, clock)
        other = server.address(model_name="llama")
        assert (await client.complete(other, keyed(KEY), DECIDING, 10_000, clock)).decided

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (401, AbstentionReason.UNAUTHORIZED),
            (400, AbstentionReason.REFUSED_BY_SERVER),
            (200, AbstentionReason.MALFORMED_ANSWER),
        ],
    )
    async def test_other_faults_are_told_as_those_of_a_chat(
        self, client: ChatClient, server: FakeChatServer, clock: FakeClock, status: int, reason: AbstentionReason
    ) -> None:
        server.answers = [says(status, {})]
        with pytest.raises(ModelError) as failure:
            await client.complete(server.address(), keyed(KEY), DECIDING, 10_000, clock)
        assert failure.value.reason is reason


def usage_of_decisions() -> Usage:
    return Usage(calls=1, prompt_tokens=30, cached_tokens=16, completion_tokens=2)
