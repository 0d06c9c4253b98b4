"""The operator gets what it reads, and may do no more than it needs."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from chart.rendering import NAMESPACE, Objects, RenderError, pod_specs, render
from council_operator.plan.gpu.division import OURS, key_of
from council_operator.plan.gpu.words import CONFIG_LABEL
from council_operator.plan.settings import GpuDivision, RenderSettings
from council_operator.render.names import OWN_SECRETS
from council_operator.settings import Settings, read_gpu_division, read_settings
from deliberation.bus.login import PasswordLogin, Tls

MANAGED = ("gpuSharing.manage=true", "gpuSharing.nodeSelector.pool=shared")


def settings_of(objects: Objects, folder: Path) -> Settings:
    """Return what the operator's own code reads from its rendered environment, its Secrets mounted below `folder`."""
    container = objects["Deployment", "council-operator"]["spec"]["template"]["spec"]["containers"][0]
    volumes = {
        volume["name"]: volume.get("secret", {}).get("secretName")
        for volume in objects["Deployment", "council-operator"]["spec"]["template"]["spec"]["volumes"]
    }
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    for path, secret in mounts.items():
        if secret is None:
            continue
        (folder / path.lstrip("/")).mkdir(parents=True)
        for key, value in objects["Secret", secret]["data"].items():
            (folder / path.lstrip("/") / key).write_bytes(base64.b64decode(value))
    environment = {
        entry["name"]: f"{folder}{entry['value']}" if entry["name"].endswith("_FILE") else entry["value"]
        for entry in container["env"]
    }
    return read_settings(environment)


def test_environment_is_what_the_operator_reads(defaults: Objects, tmp_path: Path) -> None:
    settings = settings_of(defaults, tmp_path)
    assert settings.bus_url == "nats://council-operator-nats.council-system.svc:4222"
    assert settings.render.bus_authority is not None
    assert len(settings.render.bus_authority.secret) == 48
    assert settings.bus_config_map == ("council-system", "council-operator-nats")
    assert settings.bus_tls is None
    assert settings.bus_replicas == 1
    assert settings.watch_namespaces == ()
    assert settings.http_port == 8080
    assert settings.render.images.runner == "council-operator/runner:0.1.0"
    assert settings.render.bus_user == "runner"
    assert len(settings.render.derivation_key) == 48
    assert settings.render.runner == RenderSettings.runner
    assert settings.render.gpu_overhead_mib == RenderSettings.gpu_overhead_mib
    assert settings.reads_nodes is True


def test_pods_of_councils_are_made_as_the_values_say(tmp_path: Path) -> None:
    values = (
        "images.pullPolicy=Always",
        "images.pullSecrets={mine,yours}",
        "runner.resources.limits.cpu=4",
        "images.revision=b7",
    )
    settings = settings_of(render(*values), tmp_path).render
    assert (settings.images.pull_policy, settings.images.pull_secrets) == ("Always", ("mine", "yours"))
    assert (settings.runner.cpu_limit, settings.images.revision) == ("4", "b7")


def test_runners_may_reach_the_bus_by_another_address(tmp_path: Path) -> None:
    settings = settings_of(render("bus.runnerUrl=tls://bus.example:4222"), tmp_path)
    assert settings.render.bus_url == "tls://bus.example:4222"
    assert settings.bus_url == "nats://council-operator-nats.council-system.svc:4222"


def test_a_bus_of_others_is_logged_in_to_by_password_and_trusted_by_its_authorities(tmp_path: Path) -> None:
    external = ("nats.enabled=false", "bus.url=tls://bus.example:4222", "bus.existingSecret=bus-users")
    objects = render(*external, "bus.caSecret=authorities", "bus.serverName=nats", "bus.replicas=3")
    for name, content in (
        ("bus-users", {"operator-password": "of-operator", "runner-password": "of-runner"}),
        ("authorities", {"ca.crt": "-----BEGIN CERTIFICATE-----"}),
    ):
        data = {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
        objects["Secret", name] = {"data": data}
    settings = settings_of(objects, tmp_path)
    folder = tmp_path / "etc/council"
    assert settings.bus_login == PasswordLogin("operator", folder / "bus/operator-password")
    assert settings.bus_tls == Tls(folder / "bus-ca/ca.crt", "nats")
    assert settings.bus_replicas == 3
    assert settings.bus_config_map is None
    assert settings.render.bus_authority is None
    assert settings.render.bus_password == "of-runner"
    assert settings.render.bus_ca == "-----BEGIN CERTIFICATE-----"
    assert settings.render.bus_server_name == "nats"
    assert not [kind for kind, name in objects if name == "council-operator-nats"]


def test_another_release_name_is_used_throughout() -> None:
    objects = render(release="blue")
    assert ("Deployment", "blue-council-operator") in objects
    assert ("Service", "blue-council-operator-nats") in objects
    env = objects["Deployment", "blue-council-operator"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "COUNCIL_BUS_URL", "value": "nats://blue-council-operator-nats.council-system.svc:4222"} in env


def test_one_operator_at_a_time(defaults: Objects) -> None:
    spec = defaults["Deployment", "council-operator"]["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_services_select_the_pods(defaults: Objects) -> None:
    for service, workload in (
        ("council-operator-metrics", ("Deployment", "council-operator")),
        ("council-operator-nats", ("StatefulSet", "council-operator-nats")),
    ):
        labels = defaults[workload]["spec"]["template"]["metadata"]["labels"]
        assert defaults["Service", service]["spec"]["selector"].items() <= labels.items()
        assert defaults[workload]["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_pods_meet_the_restricted_standard(defaults: Objects) -> None:
    specs = pod_specs(defaults)
    assert len(specs) == 2
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 65532
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def rules(objects: Objects, kind: str) -> dict[str, set[str]]:
    """Return the verbs by resource."""
    granted: dict[str, set[str]] = {}
    for rule in objects[kind, "council-operator"]["rules"]:
        for resource in rule["resources"]:
            granted.setdefault(resource, set()).update(rule["verbs"])
    return granted


def test_two_secrets_are_written_but_never_read(defaults: Objects) -> None:
    (rule,) = [one for one in defaults["ClusterRole", "council-operator"]["rules"] if "secrets" in one["resources"]]
    assert set(rule["resourceNames"]) == OWN_SECRETS
    assert set(rule["verbs"]) == {"create", "patch", "delete"}


def test_nothing_is_granted_by_wildcard(defaults: Objects) -> None:
    granted = rules(defaults, "ClusterRole")
    assert "*" not in {name for resource, verbs in granted.items() for name in (resource, *verbs)}
    assert granted["councils"] == {"get", "list", "watch"}
    assert granted["councils/status"] == {"patch"}
    assert granted["deliberations"] == {"get", "list", "watch", "delete"}, "delete: ttlSecondsAfterFinished"
    assert not [resource for resource in granted if "finalizers" in resource], "no owner of ours blocks a deletion"


def test_named_namespaces_get_a_role_each_and_the_cluster_none(tmp_path: Path, defaults: Objects) -> None:
    objects = render("watchNamespaces={team-a,team-b}")
    assert not [kind for kind, _ in objects if kind.startswith("ClusterRole")]
    everywhere = rules(defaults, "ClusterRole")
    assert everywhere.pop("customresourcedefinitions") == {"list", "watch"}
    assert everywhere.pop("nodes") == {"get", "list", "watch"}
    assert rules(objects, "Role") == everywhere
    binding = objects["RoleBinding", "council-operator"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "council-operator", "namespace": NAMESPACE}]
    settings = settings_of(objects, tmp_path)
    assert settings.watch_namespaces == ("team-a", "team-b")
    assert settings.reads_nodes is False


def test_nodes_are_read_where_the_administrator_lets_it(tmp_path: Path) -> None:
    objects = render("watchNamespaces={team-a}", "gpu.readNodes=true", "gpu.overheadMiB=2048")
    (rule,) = objects["ClusterRole", "council-operator-nodes"]["rules"]
    assert (rule["resources"], rule["verbs"]) == (["nodes"], ["get", "list", "watch"])
    assert objects["ClusterRoleBinding", "council-operator-nodes"]["roleRef"]["name"] == "council-operator-nodes"
    assert [kind for kind, _ in objects].count("ClusterRole") == 1
    settings = settings_of(objects, tmp_path)
    assert settings.reads_nodes is True
    assert settings.render.gpu_overhead_mib == 2048


def test_custom_resources_stay_when_the_release_goes(defaults: Objects) -> None:
    for name in ("councils.councils.dev", "deliberations.councils.dev"):
        definition = defaults["CustomResourceDefinition", name]
        assert definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not [kind for kind, _ in render("crds.install=false") if kind == "CustomResourceDefinition"]


def test_network_policies_are_a_choice(defaults: Objects) -> None:
    assert not [kind for kind, _ in defaults if kind == "NetworkPolicy"]
    policy = render("networkPolicy.enabled=true")["NetworkPolicy", "council-operator-nats"]
    operator, runners = policy["spec"]["ingress"][0]["from"]
    assert operator["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
    assert runners["namespaceSelector"] == {}
    narrow = render("networkPolicy.enabled=true", "watchNamespaces={team-a}")["NetworkPolicy", "council-operator-nats"]
    expression = narrow["spec"]["ingress"][0]["from"][1]["namespaceSelector"]["matchExpressions"][0]
    assert expression["values"] == ["team-a"]


@pytest.mark.parametrize("key", ["nodeSelector.disk=ssd", "tolerations[0].key=gpu", "affinity.nodeAffinity.x=y"])
def test_pods_can_be_placed(key: str) -> None:
    objects = render(f"operator.{key}", f"nats.{key}")
    field = key.partition(".")[0].partition("[")[0]
    placed: list[Any] = [spec[field] for spec in pod_specs(objects)]
    assert len(placed) == 2
    assert placed[0] == placed[1]


def test_gpus_are_divided_only_where_the_administrator_lets_it(tmp_path: Path, defaults: Objects) -> None:
    assert settings_of(defaults, tmp_path / "off").render.gpu_division is None
    assert not [name for _, name in defaults if "gpu-sharing" in name or "restore" in name]
    assert rules(defaults, "ClusterRole")["nodes"] == {"get", "list", "watch"}
    objects = render(*MANAGED, "gpuSharing.slicesPerGPU=2", "watchNamespaces={team-a}")
    settings = settings_of(objects, tmp_path / "on")
    assert settings.reads_nodes is True
    assert settings.render.gpu_division == GpuDivision(
        selector=(("pool", "shared"),), slices=2, config_map="council-gpu-sharing", namespace="gpu-operator"
    )


def test_dividing_gpus_takes_the_right_to_patch_nodes_and_one_config_map() -> None:
    objects = render(*MANAGED)
    (nodes,) = objects["ClusterRole", "council-operator-gpu-sharing"]["rules"]
    assert (nodes["resources"], nodes["verbs"]) == (["nodes"], ["get", "list", "watch", "patch"])
    role = objects["Role", "council-operator-gpu-sharing"]
    assert role["metadata"]["namespace"] == "gpu-operator"
    (config,) = role["rules"]
    assert (config["resourceNames"], config["verbs"]) == (["council-gpu-sharing"], ["get", "patch"])


def test_the_right_to_patch_nodes_is_confined_to_the_fields_that_the_operator_writes() -> None:
    objects = render(*MANAGED, release="mine")
    policy = objects["ValidatingAdmissionPolicy", "council-gpu-sharing"]["spec"]
    (condition,) = policy["matchConditions"]
    assert condition["expression"].endswith('== "system:serviceaccount:council-system:mine-council-operator"')
    assert policy["failurePolicy"] == "Fail"
    texts = json.dumps(policy)
    for field in (CONFIG_LABEL, OURS, key_of(0).removesuffix("0")):
        assert field in texts
    binding = objects["ValidatingAdmissionPolicyBinding", "council-gpu-sharing"]["spec"]
    assert binding == {"policyName": "council-gpu-sharing", "validationActions": ["Deny"]}


def test_a_hook_gives_the_nodes_back_before_the_release_goes(tmp_path: Path) -> None:
    objects = render(*MANAGED)
    job = objects["Job", "council-operator-restore"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    pod = job["spec"]["template"]
    environment = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
    assert read_gpu_division(environment) == settings_of(objects, tmp_path).render.gpu_division
    assert environment["COUNCIL_DEPLOYMENT"] == "council-operator"
    operator = objects["Deployment", "council-operator"]["spec"]["template"]["metadata"]["labels"]
    selected = dict(part.split("=") for part in environment["COUNCIL_SELECTOR"].split(","))
    assert selected.items() <= operator.items()
    assert not selected.items() <= pod["metadata"]["labels"].items(), "it would wait for itself"
    role = {
        resource: rule
        for rule in objects["Role", "council-operator-restore"]["rules"]
        for resource in rule["resources"]
    }
    assert (role["deployments"]["resourceNames"], role["deployments"]["verbs"]) == (
        ["council-operator"],
        ["get", "patch"],
    )
    assert role["pods"]["verbs"] == ["list"]


@pytest.mark.parametrize(
    "value", ["gpuSharing.slicesPerGPU=1", "gpuSharing.nodes=all", "gpuSharing.configMap.name=A_B"]
)
def test_what_gpu_sharing_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(RenderError):
        render(value)
