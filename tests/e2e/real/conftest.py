"""The sample Council on the small real model, one for all tests: its server takes minutes to start."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from demonstration.kubectl import Body, Kubectl
from demonstration.steps import model_folder, model_volume
from e2e.real.lora import write_adapter
from e2e.scene import SYSTEM, await_ready, fresh_namespace, sample

ADAPTER = "contrary"


@pytest.fixture(scope="session")
def adapter() -> Iterator[Path]:
    """Return the folder, beside the models, of an adapter made for these tests."""
    folder = model_folder() / f"adapter-{uuid4().hex[:8]}"
    try:
        write_adapter(folder, model_folder() / "gemma3-270m")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def real_namespace(cluster: Kubectl, system: Kubectl) -> Iterator[Kubectl]:
    """Return a namespace that admits restricted pods only, with a claim on the models that `hack/images model` made."""
    assert system.namespace == SYSTEM
    with fresh_namespace(cluster) as namespace:
        cluster.run("label", "namespace", namespace.namespace, "pod-security.kubernetes.io/enforce=restricted")
        volume, claim = model_volume(
            model_folder(), namespace=namespace.namespace, volume_name=f"models-{namespace.namespace}"
        )
        cluster.apply(volume)
        namespace.apply(claim)
        yield namespace
    cluster.delete("persistentvolumes", volume["metadata"]["name"])


@pytest.fixture(scope="session")
def served_model(adapter: Path) -> Body:
    """Return the model of the sample Council, with an adapter beside it and a flag that has no field."""
    model: Body = yaml.safe_load(sample("council").read_text())["spec"]["models"][0]
    model["vllm"] |= {
        "adapters": [{"name": ADAPTER, "path": adapter.name, "rank": 8}],
        "engineArgs": ["--max-num-batched-tokens=2048"],
    }
    return model


@pytest.fixture(scope="session")
def reviewers(real_namespace: Kubectl, served_model: Body) -> Kubectl:
    """Return a namespace in which the sample Council is ready, on a server with more to it than the sample asks for."""
    council: Body = yaml.safe_load(sample("council").read_text())
    council["spec"]["models"] = [served_model]
    real_namespace.apply(council)
    await_ready(real_namespace, "reviewers", seconds=900)
    return real_namespace
