from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council_operator.render.pod_template import find_fault, merge

Body = dict[str, Any]

RENDERED: Body = {
    "metadata": {"labels": {"app.kubernetes.io/instance": "model-1"}, "annotations": {"a": "1"}},
    "spec": {
        "containers": [
            {
                "name": "vllm",
                "args": ["--port=8000"],
                "env": [
                    {"name": "HOME", "value": "/home"},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s"}}},
                ],
                "resources": {"requests": {"cpu": "1", "memory": "4Gi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
            }
        ],
        "volumes": [{"name": "cache", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    },
}


def test_nothing_changes_nothing() -> None:
    assert merge(RENDERED, {}) == RENDERED


def test_what_is_named_alike_is_merged_and_the_rest_stays() -> None:
    more = {
        "name": "vllm",
        "resources": {"requests": {"memory": "32Gi"}},
        "env": [{"name": "HF_HUB_OFFLINE", "value": "1"}],
    }
    (container,) = merge(RENDERED, {"spec": {"containers": [more]}})["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "1", "memory": "32Gi"}}
    assert [one["name"] for one in container["env"]] == ["HOME", "KEY", "HF_HUB_OFFLINE"]
    assert container["args"] == ["--port=8000"]


def test_other_containers_volumes_and_labels_are_added() -> None:
    template = {
        "metadata": {"labels": {"team": "a"}, "annotations": {"b": "2"}},
        "spec": {"containers": [{"name": "sidecar", "image": "x"}], "volumes": [{"name": "data", "emptyDir": {}}]},
    }
    merged = merge(RENDERED, template)
    assert merged["metadata"] == {
        "labels": {"app.kubernetes.io/instance": "model-1", "team": "a"},
        "annotations": {"a": "1", "b": "2"},
    }
    assert [one["name"] for one in merged["spec"]["containers"]] == ["vllm", "sidecar"]
    assert [one["name"] for one in merged["spec"]["volumes"]] == ["cache", "tmp", "data"]


def test_a_volume_is_replaced_because_it_can_be_of_one_kind_only() -> None:
    claim = {"name": "cache", "persistentVolumeClaim": {"claimName": "c"}}
    assert merge(RENDERED, {"spec": {"volumes": [claim]}})["spec"]["volumes"] == [
        claim,
        {"name": "tmp", "emptyDir": {}},
    ]


def test_tolerations_are_added_and_lists_without_a_key_replaced() -> None:
    template = {"spec": {"tolerations": [{"key": "team"}], "nodeSelector": {"disk": "ssd"}, "readinessGates": [{}]}}
    spec = merge(RENDERED, template)["spec"]
    assert [one["key"] for one in spec["tolerations"]] == ["nvidia.com/gpu", "team"]
    assert (spec["nodeSelector"], spec["readinessGates"]) == ({"disk": "ssd"}, [{}])


def test_null_takes_a_field_away() -> None:
    assert "tolerations" not in merge(RENDERED, {"spec": {"tolerations": None, "dnsPolicy": None}})["spec"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"kind": "Pod"}, "has kind: only metadata and spec"),
        ({"spec": []}, "must hold objects as metadata and spec"),
        ({"metadata": {"name": "x"}}, "may set labels and annotations of metadata"),
        ({"metadata": {"labels": None}}, "must hold an object as metadata.labels"),
        ({"metadata": {"labels": ["x"]}}, "must hold an object as metadata.labels"),
        ({"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}}, "by which the operator finds its pods"),
        ({"metadata": {"annotations": {"councils.dev/spec-digest": "x"}}}, "sets metadata.annotations[councils.dev/"),
        ({"spec": {"containers": {"vllm": {}}}}, "must hold at spec.containers a list whose items all have name"),
        ({"spec": {"containers": [{"image": "x"}]}}, "whose items all have name"),
        ({"spec": {"containers": [{"name": "x", "env": [{}]}]}}, "must hold at spec.containers[x].env a list"),
        ({"spec": {"containers": [{"name": "vllm", "args": []}]}}, "sets args of container vllm"),
        ({"spec": {"containers": [{"name": "sidecar", "args": []}]}}, None),
        ({"spec": {"containers": None}}, "must hold at spec.containers a list"),
        ({"spec": {"volumes": None}}, None),
        ({}, None),
    ],
)
def test_what_cannot_be_merged_is_named(template: Body, words: str | None) -> None:
    fault = find_fault(template)
    assert fault is None if words is None else words in str(fault)


NAMES = st.sampled_from(
    ["name", "containers", "volumes", "env", "labels", "metadata", "spec", "tolerations", "args", "vllm"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TEMPLATES = st.dictionaries(st.sampled_from(["metadata", "spec"]), st.dictionaries(NAMES, JSON, max_size=4))


@given(TEMPLATES)
def test_whatever_is_not_refused_can_be_merged_and_keeps_what_the_operator_needs(template: Body) -> None:
    if find_fault(template) is None:
        merged = merge(RENDERED, template)
        assert merged["metadata"]["labels"]["app.kubernetes.io/instance"] == "model-1"
        assert merged["spec"]["containers"][0]["args"] == ["--port=8000"]
