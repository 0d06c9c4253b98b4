import pytest

from demonstration.kubectl import KubectlError
from fault_campaign.containers import NoContainerError
from fault_campaign.strikes import await_any


class FakeCluster:
    """Shows pods after a number of looks that found none."""

    def __init__(self, *looks: list[str] | None) -> None:
        self.looks = list(looks)
        self.seconds = 0.0

    def find(self) -> list[str]:
        look = self.looks.pop(0) if self.looks else []
        if look is None:
            raise KubectlError("TLS handshake timeout")
        return look

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


def test_what_is_to_be_struck_is_waited_for() -> None:
    cluster = FakeCluster([], None, ["head"])
    assert await_any(cluster.find, "pod", pause=cluster.wait, monotonic=lambda: cluster.seconds) == ["head"]
    assert not cluster.looks


def test_what_never_comes_is_told() -> None:
    cluster = FakeCluster()
    with pytest.raises(NoContainerError, match="no pod of the runner"):
        await_any(cluster.find, "pod of the runner", pause=cluster.wait, monotonic=lambda: cluster.seconds)
