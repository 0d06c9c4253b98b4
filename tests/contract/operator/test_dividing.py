"""Dividing GPUs against a real API server: who owns which field, only it knows. The nodes are fakes without a GPU."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from contract.api_server import ApiServer
from council_operator.dividing import Divider
from council_operator.kube.client import KubernetesClient
from council_operator.kube.port import ConflictError
from council_operator.plan.gpu.division import OURS
from council_operator.plan.gpu.words import CONFIG_LABEL
from council_operator.plan.settings import GpuDivision
from fakes.fake_nodes import fake_gpu_node

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

FOUR = "council-time-slicing-4"
NODES = ("fake-gpu-of-division-a", "fake-gpu-of-division-b")
Body = dict[str, Any]


@pytest.fixture
async def client(api_server: ApiServer) -> AsyncIterator[KubernetesClient]:
    configuration = Configuration()
    await config.load_kube_config(config_file=str(api_server.kubeconfig), client_configuration=configuration)
    client = KubernetesClient(ApiClient(configuration))
    yield client
    await client.close()


@pytest.fixture
async def divider(api_server: ApiServer, client: KubernetesClient) -> AsyncIterator[Divider]:
    """A divider for two nodes, and the ConfigMap of a device plugin with a key that is not ours."""
    for name in NODES:
        node = fake_gpu_node(name)
        node["metadata"]["labels"]["pool"] = api_server.namespace
        api_server.kubectl("create", "--filename=-", stdin=json.dumps(node))
    metadata = {"name": "sharing"}
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"default": "version: v1\n"}}
    api_server.kubectl("create", "--filename=-", stdin=json.dumps(theirs))
    yield Divider(client, GpuDivision((("pool", api_server.namespace),), 4, "sharing", api_server.namespace))
    api_server.kubectl("delete", "node", *NODES)


def label_of(api_server: ApiServer, name: str) -> str | None:
    labels: dict[str, str] = api_server.get("node", name)["metadata"]["labels"]
    return labels.get(CONFIG_LABEL)


def keys_of(api_server: ApiServer) -> set[str]:
    return set(api_server.get("configmap", "sharing")["data"])


async def test_what_was_divided_is_restored_and_what_others_set_is_never_touched(
    api_server: ApiServer, divider: Divider
) -> None:
    first, foreign = NODES
    api_server.kubectl("label", "node", foreign, f"{CONFIG_LABEL}=default")
    before = api_server.get("node", first)["metadata"]["labels"]

    assert (await divider.look()).acted
    assert not (await divider.look()).acted
    assert (label_of(api_server, first), label_of(api_server, foreign)) == (FOUR, "default")
    assert keys_of(api_server) == {"default", FOUR}
    told = json.loads(api_server.kubectl("get", "events", "--namespace=default", "--output=json"))["items"]
    assert (first, "GPUsDivided") in {(one["involvedObject"]["name"], one["reason"]) for one in told}

    api_server.kubectl("patch", "configmap", "sharing", "--type=merge", '--patch={"data": {"added": "version: v1"}}')
    await divider.restore()
    assert api_server.get("node", first)["metadata"]["labels"] == before
    assert OURS not in api_server.get("node", first)["metadata"]["annotations"]
    assert label_of(api_server, foreign) == "default"
    assert keys_of(api_server) == {"default", "added"}


async def test_a_label_that_is_set_over_ours_stays_when_we_go(api_server: ApiServer, divider: Divider) -> None:
    await divider.look()
    api_server.kubectl("label", "node", NODES[0], "--overwrite", f"{CONFIG_LABEL}=default")
    await divider.look()
    assert label_of(api_server, NODES[0]) == "default"
    assert OURS not in api_server.get("node", NODES[0])["metadata"]["annotations"]
    await divider.restore()
    assert label_of(api_server, NODES[0]) == "default"
    assert label_of(api_server, NODES[1]) is None


async def test_a_field_of_somebody_else_and_a_node_that_is_gone_are_conflicts(
    api_server: ApiServer, divider: Divider, client: KubernetesClient
) -> None:
    assert divider
    api_server.kubectl("label", "node", NODES[0], f"{CONFIG_LABEL}=default")
    uid = api_server.get("node", NODES[0])["metadata"]["uid"]
    labels = {CONFIG_LABEL: FOUR}
    body: Body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODES[0], "uid": uid, "labels": labels}}
    with pytest.raises(ConflictError, match=CONFIG_LABEL):
        await client.contribute(body, "another")
    with pytest.raises(ConflictError):
        await client.contribute({**body, "metadata": {**body["metadata"], "name": "never-made"}}, "another")
