"""A namespace for each test on the cluster that KUBECONFIG names, with the operator installed by its chart."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from demonstration.kubectl import Body, Kubectl
from demonstration.steps import CHART, model_folder, model_volume
from e2e.scene import OPERATOR, SYSTEM


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
    helm = ["helm", "--kubeconfig", str(cluster.kubeconfig), "--namespace", SYSTEM]
    subprocess.run(
        [
            *(*helm, "upgrade", "--install", OPERATOR, str(CHART), "--create-namespace", "--wait", "--timeout", "10m"),
            *("--set", "images.nats=council-operator/nats:2.15.1", "--set", "nats.persistence.size=1Gi"),
        ],
        check=True,
    )
    yield kubectl
    subprocess.run([*helm, "uninstall", OPERATOR, "--wait", "--timeout", "5m"], check=True)
    kubectl.delete("persistentvolumeclaims", f"{OPERATOR}-nats")


@pytest.fixture
def namespace(cluster: Kubectl, system: Kubectl) -> Iterator[Kubectl]:
    """Make a namespace for one test; remove it with all that is in it."""
    assert system.namespace == SYSTEM
    kubectl = cluster.within(f"e2e-{uuid4().hex[:8]}")
    cluster.run("create", "namespace", kubectl.namespace)
    yield kubectl
    for resource in ("deliberations", "councils"):
        kubectl.run("delete", resource, "--all", "--wait", "--timeout=180s", seconds=190)
    cluster.delete("namespaces", kubectl.namespace, seconds=300)


@pytest.fixture
def model_claim(cluster: Kubectl, namespace: Kubectl) -> Iterator[Body]:
    """Make the claim that the sample Council names, over the model that `hack/images model` has prepared."""
    volume, claim = model_volume(
        model_folder(), namespace=namespace.namespace, volume_name=f"models-{namespace.namespace}"
    )
    cluster.apply(volume)
    namespace.apply(claim)
    yield claim
    namespace.run("delete", "deliberations,councils", "--all", "--wait", "--timeout=180s", seconds=190)
    namespace.delete("persistentvolumeclaims", claim["metadata"]["name"])
    cluster.delete("persistentvolumes", volume["metadata"]["name"])
