from typing import Any

import pytest

from deliberation.local.faults import BadInputError
from deliberation.local.manifests import read_manifests
from fakes.manifests import council, deliberation, text

Body = dict[str, Any]

COUNCIL = """\
apiVersion: councils.dev/v1alpha1
kind: Council
metadata: {name: devs}
spec:
  models: [{name: small, simulated: {}}]
  members: [{name: dev, role: Developer, modelRef: small}]
"""


def faults(*bodies: Body) -> tuple[str, ...]:
    with pytest.raises(BadInputError) as refused:
        read_manifests(text(*bodies))
    return refused.value.faults


def test_objects_are_kept_as_the_api_server_would_keep_them() -> None:
    manifests = read_manifests(text(deliberation(quorum=None), council()), "team")
    [asked] = manifests.deliberations
    assert asked["metadata"]["namespace"] == "team"
    assert asked["metadata"]["generation"] == 1
    assert "quorum" not in asked["spec"]
    assert manifests.council_of(asked)["metadata"]["name"] == "devs"


def test_the_same_manifest_has_the_same_uid_and_another_has_another() -> None:
    def uids(namespace: str) -> list[str]:
        manifests = read_manifests(text(council(), deliberation(), deliberation("how")), namespace)
        return [body["metadata"]["uid"] for body in (*manifests.councils, *manifests.deliberations)]

    assert uids("a") == uids("a")
    assert len({*uids("a"), *uids("b")}) == 6


def test_files_may_hold_documents_lists_json_and_other_kinds() -> None:
    manifests = read_manifests(
        [
            ("a", f"---\n{COUNCIL}---\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\n"),
            ("b", '{"apiVersion": "v1", "kind": "List", "items": [%s]}' % str(deliberation()).replace("'", '"')),  # noqa: UP031
        ]
    )
    assert manifests.ignored == ("Secret key",)
    assert [body["metadata"]["name"] for body in manifests.deliberations] == ["why"]


def test_a_date_is_a_text() -> None:
    asked = "apiVersion: councils.dev/v1alpha1\nkind: Deliberation\nmetadata: {name: why}\n"
    spec = "spec: {councilRef: {name: devs}, question: 2026-11-23}\n"
    manifests = read_manifests([("a", COUNCIL), ("b", asked + spec)])
    assert manifests.deliberations[0]["spec"]["question"] == "2026-11-23"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: [", "file: no YAML: "),
        ("a: 1\na: 2", "file: no YAML: key a stands twice"),
        ("- 1", "file: a document is no object"),
        ("kind: Council", "file: an object has no apiVersion"),
        ("apiVersion: v1\nkind: 7\nmetadata: {name: x}", "file: an object has no kind"),
        ("apiVersion: v1\nkind: X\nmetadata: {}", "file: an object has no metadata.name"),
        ("apiVersion: v1\nkind: X\nmetadata: {name: 7}", "file: an object has no metadata.name"),
        (COUNCIL.replace("kind: Council", "kind: Senate"), "Senate devs: councils.dev/v1alpha1 has no such kind"),
        (COUNCIL + "extra: 1", "Council devs: extra: unknown field"),
        (COUNCIL.split("spec:", maxsplit=1)[0], "Council devs: spec: Required value"),
        (COUNCIL.replace("name: devs", "name: Devs"), "Council Devs: metadata.name: must consist of"),
        (COUNCIL.replace("name: devs", "name: devs, namespace: a.b"), "Council devs: metadata.namespace: must"),
    ],
)
def test_what_is_no_object_of_ours_is_refused_by_name(content: str, told: str) -> None:
    with pytest.raises(BadInputError) as refused:
        read_manifests([("file", content)])
    assert any(told in fault for fault in refused.value.faults)


def test_every_fault_of_every_object_is_told_at_once() -> None:
    assert faults(council(runner={"speed": 1}), deliberation(topK=0), deliberation("how", timeoutSeconds="10m")) == (
        "Council devs: spec.runner.speed: Extra inputs are not permitted",
        "Deliberation why: spec.topK: Input should be greater than or equal to 1",
        "Deliberation how: spec.timeoutSeconds: Input should be a valid integer",
    )


def test_an_object_given_twice_is_refused() -> None:
    assert faults(council(), deliberation(), deliberation()) == ("Deliberation why: given more than once",)


def test_no_question_is_nothing_to_do() -> None:
    assert faults(council()) == ("no Deliberation is given: add its file with -f",)


def test_a_question_needs_its_council() -> None:
    [fault] = faults(council(), deliberation(council="ops"))
    assert fault.startswith("Deliberation why: spec.councilRef: no Council ops of namespace default is given")


def test_what_the_operator_would_refuse_is_refused() -> None:
    asked, key = deliberation(quorum=4), {"name": "council-bus", "key": "password"}
    endpoint = {"url": "http://127.0.0.1:1/v1", "modelName": "m", "apiKeySecretRef": key}
    assert "spec.quorum is 4, but Council devs has 3 seats" in faults(council(), asked)[0]
    own_secret = faults(council(models=[{"name": "small", "endpoint": endpoint}]), deliberation())
    assert any("holds the operator's own credentials" in fault for fault in own_secret)
