"""Messages about the connection tell where it goes, and nothing that a URL may hide."""

import pytest

from deliberation.bus.jetstream import connect
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.subjects import Run


@pytest.mark.parametrize(
    "url", ["nats://user:hidden@127.0.0.1:{port}", "nats://127.0.0.1:{port}, nats://127.0.0.1:{port}"]
)
async def test_a_server_that_is_away_is_named_without_credentials(url: str, unused_tcp_port: int) -> None:
    bus = await connect(url.format(port=unused_tcp_port), name="test", patience_seconds=0.1)
    with pytest.raises(BusUnavailableError) as failure:
        await bus.read_ledger(Run("team", "uid"))
    assert f"127.0.0.1:{unused_tcp_port}" in str(failure.value)
    assert "hidden" not in str(failure.value)
    await bus.close()
