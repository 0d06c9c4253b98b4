"""Dividing GPUs against a real API server: who owns which field, only it knows. The nodes are fakes without a GPU."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from chart.rendering import NAMESPACE, render
from contract.api_server import ApiServer, RefusedError
from contract.operator import rights
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


OPERATOR = f"system:serviceaccount:{NAMESPACE}:{rights.ACCOUNT}"

BEYOND: tuple[tuple[Body, str], ...] = (
    ({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}, "of a node's labels"),
    ({"metadata": {"labels": {"pool": None}}}, "of a node's labels"),
    ({"metadata": {"labels": {"councils.dev/fake-gpu": "no"}}}, "of a node's labels"),
    ({"metadata": {"annotations": {"csi.volume.kubernetes.io/nodeid": "x"}}}, "of a node's annotations"),
    ({"metadata": {"annotations": {"councils.dev/fake-gpu": None}}}, "of a node's annotations"),
    ({"metadata": {"annotations": {OURS: "a text"}}}, "says which configuration"),
    ({"metadata": {"labels": {CONFIG_LABEL: "default"}}}, "configurations of its own"),
    ({"metadata": {"finalizers": ["councils.dev/mine"]}}, "and nothing else"),
    ({"spec": {"unschedulable": True}}, "and nothing else"),
    ({"spec": {"taints": [{"key": "mine", "effect": "NoExecute"}]}}, "and nothing else"),
)
"""What the operator may not do to a node, and how it is told."""


@pytest.fixture(scope="module")
def confined(installed: ApiServer) -> ApiServer:
    """The API server with what the chart installs where the operator may divide GPUs: rights, and their bounds."""
    rights.make_account(installed)
    install(installed, namespace="", config_map_of="default")
    install(installed, namespace="default", config_map_of="default")
    return installed


def install(api_server: ApiServer, *, namespace: str, config_map_of: str) -> None:
    """Install what the chart has for dividing GPUs in a namespace, or in none."""
    config_map = ("gpuSharing.configMap.name=sharing", f"gpuSharing.configMap.namespace={config_map_of}")
    objects = render("gpuSharing.manage=true", "gpuSharing.nodeSelector.pool=any", *config_map)
    bodies = [
        body
        for (_, name), body in objects.items()
        if name.endswith(("gpu-sharing", "node-events")) and body["metadata"].get("namespace", "") == namespace
    ]
    assert bodies
    for body in bodies:
        api_server.kubectl("create", f"--namespace={namespace}", "--filename=-", stdin=json.dumps(body))


@pytest.fixture
async def client(confined: ApiServer, api_server: ApiServer) -> AsyncIterator[KubernetesClient]:
    """A client that is the operator: it may do on nodes what the chart lets it do."""
    install(confined, namespace=api_server.namespace, config_map_of=api_server.namespace)
    token = confined.kubectl("create", "token", rights.ACCOUNT, f"--namespace={NAMESPACE}")
    configuration = Configuration()
    await config.load_kube_config(config_file=str(api_server.kubeconfig), client_configuration=configuration)
    configuration.cert_file = configuration.key_file = None
    configuration.api_key = {"BearerToken": f"Bearer {token.strip()}"}
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


def change(api_server: ApiServer, patch: Body, *arguments: str) -> None:
    api_server.kubectl("patch", "node", NODES[0], f"--as={OPERATOR}", f"--patch={json.dumps(patch)}", *arguments)


@pytest.fixture
async def watched(api_server: ApiServer, divider: Divider) -> ApiServer:
    """The API server once it holds the operator to the policy, which it learns of a moment after its creation."""
    assert divider
    for _ in range(200):
        try:
            change(api_server, BEYOND[0][0], "--dry-run=server")
        except RefusedError:
            return api_server
    raise AssertionError("the policy has no effect")


async def test_the_operator_may_change_its_label_of_a_node_and_nothing_else(watched: ApiServer) -> None:
    for patch, words in BEYOND:
        with pytest.raises(RefusedError, match=words):
            change(watched, patch, "--dry-run=server")
    taints = json.dumps(BEYOND[-1][0])
    watched.kubectl("patch", "node", NODES[0], f"--patch={taints}", "--dry-run=server")
    change(watched, {"metadata": {"labels": {CONFIG_LABEL: FOUR}, "annotations": {OURS: FOUR}}}, "--dry-run=server")


async def test_a_configuration_that_somebody_chose_is_out_of_the_operators_reach(
    watched: ApiServer, divider: Divider
) -> None:
    watched.kubectl("label", "node", NODES[0], f"{CONFIG_LABEL}=default")
    for choice in (FOUR, None):
        with pytest.raises(RefusedError, match="somebody else has chosen"):
            change(watched, {"metadata": {"labels": {CONFIG_LABEL: choice}}})
    watched.kubectl("label", "node", NODES[0], f"{CONFIG_LABEL}-")
    assert (await divider.look()).acted
    assert label_of(watched, NODES[0]) == FOUR


async def test_the_operator_makes_deletes_and_reports_on_no_node(watched: ApiServer) -> None:
    for refused in (
        ("delete", "node", NODES[0]),
        ("create", "--filename=-"),
        ("patch", "node", NODES[0], "--subresource=status", '--patch={"status": {"phase": "Running"}}'),
    ):
        with pytest.raises(RefusedError, match="cannot"):
            watched.kubectl(*refused, f"--as={OPERATOR}", stdin=json.dumps(fake_gpu_node("made")))
