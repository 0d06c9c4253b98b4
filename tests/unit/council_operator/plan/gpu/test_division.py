from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from council_operator.plan.gpu.division import OURS, DivisionPlan, explain_division, key_of, plan_division
from council_operator.plan.gpu.words import CONFIG_LABEL
from council_operator.plan.settings import GpuDivision
from fakes.fake_device_plugin import Division, read_division
from fakes.fake_nodes import fake_gpu_node

Body = dict[str, Any]

FOUR = "council-time-slicing-4"
DIVISION = GpuDivision(selector=(("pool", "shared"),), slices=4, config_map="sharing", namespace="gpu-operator")


def node(name: str = "a", label: str | None = None, mark: str | None = None, pool: str = "shared", **gpu: Any) -> Body:
    body = fake_gpu_node(name, **gpu)
    body["metadata"]["uid"] = f"uid-of-{name}"
    body["metadata"]["labels"] |= {"pool": pool} | ({CONFIG_LABEL: label} if label else {})
    body["metadata"]["annotations"] |= {OURS: mark} if mark else {}
    return body


SLICED = "version: v1\nsharing:\n  timeSlicing:\n    resources:\n      - name: nvidia.com/gpu\n        replicas: {}\n"


def config_map(*keys: str) -> Body:
    texts = {key: SLICED.format(key.rpartition("-")[2]) for key in keys}
    metadata = {"name": "sharing", "namespace": "gpu-operator", "uid": "uid-of-config"}
    return {"metadata": metadata, "data": {"default": "version: v1\n", "theirs": "version: v1\n", **texts}}


def bodies(plan: DivisionPlan) -> dict[str, Body]:
    return {change.body["metadata"]["name"]: change.body for change in plan.changes}


def test_a_selected_node_gets_our_label_and_the_config_map_our_key_and_nothing_else() -> None:
    plan = plan_division(DIVISION, [node(), node("b", pool="other")], config_map())
    assert plan.config is not None
    assert set(plan.config) == {"apiVersion", "kind", "metadata", "data"}
    assert plan.config["metadata"] == {"name": "sharing", "namespace": "gpu-operator", "uid": "uid-of-config"}
    assert {key: read_division(text) for key, text in plan.config["data"].items()} == {FOUR: Division(4)}
    assert bodies(plan) == {
        "a": {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": "a",
                "uid": "uid-of-a",
                "labels": {CONFIG_LABEL: FOUR},
                "annotations": {OURS: FOUR},
            },
        }
    }


def test_what_is_as_it_should_be_is_left_alone() -> None:
    assert plan_division(DIVISION, [node(label=FOUR, mark=FOUR)], config_map(FOUR)) == DivisionPlan()


def test_a_label_that_somebody_set_is_never_changed() -> None:
    assert plan_division(DIVISION, [node(label="theirs")], config_map(FOUR)).changes == ()


def test_a_label_that_somebody_set_over_ours_is_theirs_and_only_our_mark_goes() -> None:
    (change,) = plan_division(DIVISION, [node(label="theirs", mark=FOUR)], config_map(FOUR)).changes
    assert change.body["metadata"] == {"name": "a", "uid": "uid-of-a"}
    assert "somebody chose configuration 'theirs'" in change.message


def test_a_node_that_is_selected_no_longer_is_given_back_and_then_the_key_goes() -> None:
    left = node(label=FOUR, mark=FOUR, pool="other")
    plan = plan_division(DIVISION, [left], config_map(FOUR))
    assert plan.config is None
    assert bodies(plan)["a"]["metadata"] == {"name": "a", "uid": "uid-of-a"}
    then = plan_division(DIVISION, [node(pool="other")], config_map(FOUR))
    assert then.config is not None
    assert then.config["data"] == {}
    assert then.changes == ()


def test_another_number_of_slices_is_another_key_and_the_old_one_stays_while_a_node_has_it() -> None:
    two = "council-time-slicing-2"
    plan = plan_division(DIVISION, [node(label=two, mark=two)], config_map(two))
    assert plan.config is not None
    assert set(plan.config["data"]) == {two, FOUR}
    assert bodies(plan)["a"]["metadata"]["labels"] == {CONFIG_LABEL: FOUR}


def test_without_the_config_map_no_node_is_labelled_but_one_of_ours_is_given_back() -> None:
    plan = plan_division(DIVISION, [node()], None)
    assert plan.changes == ()
    assert plan.config is None
    assert "there is no ConfigMap sharing in namespace gpu-operator" in plan.missing
    given_back = plan_division(DIVISION, [node(label=FOUR, mark=FOUR, pool="other")], None)
    assert list(bodies(given_back)) == ["a"]


def test_no_labels_select_no_node() -> None:
    nobody = GpuDivision(selector=(), slices=4, config_map="sharing", namespace="gpu-operator")
    assert plan_division(nobody, [node()], config_map()) == DivisionPlan()


labels = st.sampled_from([None, FOUR, "council-time-slicing-2", "theirs"])
pools = st.sampled_from(["shared", "other"])


@given(st.lists(st.tuples(labels, labels, pools), max_size=4))
def test_applying_the_plan_comes_to_rest_and_keeps_what_others_chose(states: list[tuple[Any, Any, str]]) -> None:
    nodes = [node(f"n{at}", label, mark, pool) for at, (label, mark, pool) in enumerate(states)]
    config = config_map("council-time-slicing-2")
    for _ in range(3):
        plan = plan_division(DIVISION, nodes, config)
        if plan.config:
            kept = {key: text for key, text in config["data"].items() if not key.startswith("council-")}
            config["data"] = kept | plan.config["data"]
        for change in plan.changes:
            follow(change.node, change.body)
    assert plan == DivisionPlan()
    for one, (label, mark, _) in zip(nodes, states, strict=True):
        if label is not None and label != mark:
            assert one["metadata"]["labels"][CONFIG_LABEL] == label
        ours = one["metadata"]["annotations"].get(OURS)
        assert ours in {None, one["metadata"]["labels"].get(CONFIG_LABEL)}
        assert ours is None or ours in config["data"]
    assert {"default", "theirs"} <= set(config["data"])


def follow(known: Body, body: Body) -> None:
    """Do as server-side apply does with the two fields that we may own."""
    metadata = known["metadata"]
    mark = metadata["annotations"].pop(OURS, None)
    if metadata["labels"].get(CONFIG_LABEL) == mark:
        metadata["labels"].pop(CONFIG_LABEL, None)
    metadata["labels"] |= body["metadata"].get("labels", {})
    metadata["annotations"] |= body["metadata"].get("annotations", {})


def test_each_selected_node_is_told_of() -> None:
    text = explain_division(
        DIVISION,
        [
            node("a", label=FOUR, mark=FOUR, replicas=4),
            node("b", label=FOUR, mark=FOUR),
            node("c", label="theirs"),
            node("d"),
            node("e", pool="other"),
        ],
    )
    assert text == (
        "the operator divides the GPUs of nodes with pool=shared into 4 slices each: a has them, b waits for its "
        "device plugin, c keeps configuration 'theirs' that somebody chose, d is about to be labelled, if ConfigMap "
        "gpu-operator/sharing is there"
    )
    assert key_of(4) == FOUR


def test_a_selector_that_finds_no_node_is_told() -> None:
    assert "no node is selected (gpuSharing.nodeSelector)" in explain_division(DIVISION, [node(pool="other")])


def test_our_configuration_is_one_that_the_plugin_reads() -> None:
    plan = plan_division(DIVISION, [node()], config_map())
    assert plan.config
    assert yaml.safe_load(plan.config["data"][FOUR])["version"] == "v1"
