import pytest

from demonstration.kubectl import KubectlError
from fault_campaign.patience import TRIES, patiently


class FakeServer:
    """Answers after a number of refusals."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.asked = 0

    def ask(self) -> str:
        self.asked += 1
        if self.asked <= self.refusals:
            raise KubectlError("TLS handshake timeout")
        return "pods"


def test_what_was_not_answered_is_asked_again_after_a_pause() -> None:
    server, pauses = FakeServer(2), list[float]()
    assert patiently(server.ask, pause=pauses.append) == "pods"
    assert (server.asked, len(pauses)) == (3, 2)


def test_one_that_never_answers_is_given_up() -> None:
    server = FakeServer(TRIES)
    with pytest.raises(KubectlError, match="TLS"):
        patiently(server.ask, pause=lambda _: None)
    assert server.asked == TRIES
