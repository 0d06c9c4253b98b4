import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters import control_plane
from contract.api_server import ApiServer

CRDS = Path(__file__).parents[2] / "crds"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def bare_api_server() -> Iterator[ApiServer]:
    """A real API server without our kinds, one for the whole session."""
    with control_plane.running() as running:
        yield ApiServer(running.kubeconfig)


@pytest.fixture(scope="session")
def installed(bare_api_server: ApiServer) -> ApiServer:
    """The API server with our kinds."""
    bare_api_server.kubectl("apply", "--server-side", "--kustomize", str(CRDS))
    bare_api_server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s", within=150)
    return bare_api_server


@pytest.fixture
def api_server(installed: ApiServer) -> ApiServer:
    """The API server with our kinds, in a namespace of the test's own."""
    namespace = f"contract-{next(_numbers)}"
    installed.kubectl("create", "namespace", namespace)
    return ApiServer(installed.kubeconfig, namespace)
