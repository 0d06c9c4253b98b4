"""A namespace for each test on the cluster that KUBECONFIG names, with the operator installed by its chart."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demonstration.kubectl import Kubectl
from e2e.scene import OPERATOR, SYSTEM, fresh_namespace, install_operator, remove_operator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything below this folder: it takes minutes and needs a cluster."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def cluster() -> Kubectl:
    """Return the cluster that KUBECONFIG names."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.skip("KUBECONFIG is not set: hack/test e2e makes a cluster and sets it")
    return Kubectl(Path(kubeconfig))


@pytest.fixture(scope="session")
def system(cluster: Kubectl) -> Iterator[Kubectl]:
    """Install the operator by its chart; return the system's namespace."""
    kubectl = cluster.within(SYSTEM)
    install_operator(cluster)
    yield kubectl
    remove_operator(cluster)
    kubectl.delete("persistentvolumeclaims", f"{OPERATOR}-nats")


@pytest.fixture
def namespace(cluster: Kubectl, system: Kubectl) -> Iterator[Kubectl]:
    """Make a namespace for one test; remove it with all that is in it."""
    assert system.namespace == SYSTEM
    with fresh_namespace(cluster) as kubectl:
        yield kubectl
