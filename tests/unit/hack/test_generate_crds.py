from typing import Any

import pytest
import yaml

from crd_schema import walk
from deliberation.api.v1alpha1.kinds import COUNCIL, DELIBERATION, KINDS, Kind
from generate_crds import FOLDERS, UNOBSERVED, build_definition, build_files, definition_name

CLIENT_SIDE_APPLY_BYTES = 262_144
FORBIDDEN = {"$ref", "$defs", "anyOf", "title", "nullable", "additionalProperties", "const", "oneOf"}


def schema_of(kind: Kind) -> dict[str, Any]:
    schema: dict[str, Any] = build_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_part_of_a_schema_is_structural(kind: Kind) -> None:
    for path, part in walk(schema_of(kind), kind.name):
        assert not FORBIDDEN & set(part), path
        assert part["type"] in {"object", "array", "string", "integer", "boolean"}, path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_value_of_a_spec_is_bounded(kind: Kind) -> None:
    for path, part in walk(schema_of(kind)["properties"]["spec"], "spec"):
        match part["type"]:
            case "string":
                assert "maxLength" in part or "enum" in part, path
            case "array":
                assert "maxItems" in part, path
            case "integer":
                assert {"minimum", "maximum"} <= set(part), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_of_a_spec_is_explained(kind: Kind) -> None:
    spec = schema_of(kind)["properties"]["spec"]
    unexplained = [path for path, part in walk(spec, "spec") if not part.get("description") and "[]" not in path[-2:]]
    assert unexplained == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_list_of_objects_is_merged_by_a_key(kind: Kind) -> None:
    for path, part in walk(schema_of(kind)["properties"]["spec"], "spec"):
        if part["type"] == "array" and part["items"]["type"] == "object":
            assert part["x-kubernetes-list-map-keys"] == ["name"], path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_status_is_a_subresource_that_begins_unobserved(kind: Kind) -> None:
    assert build_definition(kind)["spec"]["versions"][0]["subresources"] == {"status": {}}
    assert schema_of(kind)["properties"]["status"]["default"] == UNOBSERVED == {"observedGeneration": -1}


def test_the_files_are_the_same_each_time() -> None:
    assert build_files() == build_files()


def test_a_definition_is_small_enough_for_client_side_apply() -> None:
    assert all(len(content.encode()) < CLIENT_SIDE_APPLY_BYTES / 2 for content in build_files().values())


def test_the_chart_has_the_same_definitions() -> None:
    files = build_files()
    own, chart = ({name.rpartition("/")[2]: files[name] for name in files if name.startswith(f)} for f in FOLDERS)
    assert chart == {name: content for name, content in own.items() if name != "kustomization.yaml"}


def test_the_kustomization_names_every_definition() -> None:
    files = build_files()
    resources = yaml.safe_load(files["crds/kustomization.yaml"])["resources"]
    assert {f"crds/{name}" for name in resources} == {name for name in files if name.startswith("crds/councils.")}


def test_the_yaml_says_what_was_built() -> None:
    files = build_files()
    for kind in KINDS:
        content = files[f"crds/councils.dev_{kind.plural}.yaml"]
        assert yaml.safe_load(content) == build_definition(kind)
        assert content.startswith("# Made by hack/generate")
        assert "&id" not in content


def test_the_definitions_are_called_as_kubernetes_asks() -> None:
    assert [definition_name(kind) for kind in KINDS] == ["councils.councils.dev", "deliberations.councils.dev"]
    assert build_definition(COUNCIL)["spec"]["names"]["shortNames"] == ["cncl"]
    assert build_definition(DELIBERATION)["spec"]["versions"][0]["selectableFields"] == [
        {"jsonPath": ".spec.councilRef.name"}
    ]
