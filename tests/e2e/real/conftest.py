"""The sample Council on the small real model, one for all tests: its server takes minutes to start."""

from collections.abc import Iterator

import pytest

from demonstration.kubectl import Kubectl
from demonstration.steps import model_folder, model_volume
from e2e.scene import SYSTEM, await_ready, fresh_namespace, sample


@pytest.fixture(scope="session")
def reviewers(cluster: Kubectl, system: Kubectl) -> Iterator[Kubectl]:
    """Return a namespace in which the sample Council is ready, on the model that `hack/images model` has prepared."""
    assert system.namespace == SYSTEM
    with fresh_namespace(cluster) as namespace:
        volume, claim = model_volume(
            model_folder(), namespace=namespace.namespace, volume_name=f"models-{namespace.namespace}"
        )
        cluster.apply(volume)
        namespace.apply(claim)
        namespace.apply(sample("council"))
        await_ready(namespace, "reviewers")
        yield namespace
    cluster.delete("persistentvolumes", volume["metadata"]["name"])
