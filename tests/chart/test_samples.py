"""Every sample is what the API takes: a reader who copies one is not refused."""

from pathlib import Path

import pytest
import yaml

from deliberation.api.v1alpha1.base import Model
from deliberation.api.v1alpha1.council import CouncilSpec
from deliberation.api.v1alpha1.deliberation import DeliberationSpec
from demonstration.steps import SAMPLES

SPECS: dict[str, type[Model]] = {"Council": CouncilSpec, "Deliberation": DeliberationSpec}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_a_sample_is_valid(path: Path) -> None:
    bodies = list(yaml.safe_load_all(path.read_text()))
    assert bodies
    for body in bodies:
        assert body["apiVersion"] == "councils.dev/v1alpha1"
        SPECS[body["kind"]].model_validate(body["spec"])


def test_questions_go_to_councils_of_the_samples() -> None:
    bodies = [body for path in SAMPLES.glob("*.yaml") for body in yaml.safe_load_all(path.read_text())]
    councils = {body["metadata"]["name"] for body in bodies if body["kind"] == "Council"}
    asked = {body["spec"]["councilRef"]["name"] for body in bodies if body["kind"] == "Deliberation"}
    assert asked <= councils


def test_five_councils_share_all_that_can_be_shared() -> None:
    councils = list(yaml.safe_load_all((SAMPLES / "five-councils.yaml").read_text()))
    assert len(councils) == 5
    assert sum(member["seats"] for body in councils for member in body["spec"]["members"]) == 15
    assert all(body["spec"]["models"] == councils[0]["spec"]["models"] for body in councils)
