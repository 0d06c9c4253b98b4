from aiohttp.test_utils import TestClient, TestServer

from council_operator.http import build_application


async def test_health_readiness_and_metrics_answer() -> None:
    ready = False
    async with TestClient(TestServer(build_application(lambda: ready))) as client:
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/readyz")).status == 503
        ready = True
        assert (await client.get("/readyz")).status == 200
        metrics = await (await client.get("/metrics")).text()
    assert "council_reconciles_total" in metrics
    assert "council_bus_connected" in metrics
