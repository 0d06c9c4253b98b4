import re

import pytest

from deliberation.api.v1alpha1.kinds import KINDS
from generate_reference import PAGE, build_page

LINES = build_page().splitlines()


def test_the_page_lies_where_the_documents_are() -> None:
    assert PAGE == "docs/reference/api.md"


@pytest.mark.parametrize(
    "row",
    [
        "| `members[].seats` | integer | `1` | 1 to 64 | Number of agents of this role |",
        "| `topK` | integer | `5` | 1 to 10 | Proposals to show in the status, best first |",
        "| `question` | string | required | 1 to 65536 characters | What the Council is to answer |",
        "| `cancel` | boolean | `false` |  | true ends the Deliberation; what it has so far is kept |",
    ],
)
def test_a_field_is_told_with_type_default_and_bounds(row: str) -> None:
    assert row in LINES


def test_every_field_of_every_spec_has_its_row() -> None:
    rows = {match[1] for line in LINES if (match := re.match(r"\| `([^`]+)` \|", line))}
    for kind in KINDS:
        assert {field.alias for field in kind.spec.model_fields.values()} <= rows


def test_every_rule_is_told_with_its_field() -> None:
    assert "- `spec.models[]`: a model needs exactly one source: give one of vllm, endpoint and simulated" in LINES
    assert "- `metadata.name`: metadata.name of a Council may have at most 63 characters: choose a shorter one" in LINES
    assert any(line.startswith("- `spec.topK`: topK cannot be changed") for line in LINES)


def test_every_row_of_a_table_has_as_many_cells_as_its_heading() -> None:
    width = 0
    for line in LINES:
        cells = line.count("|")
        width = cells if line.startswith("|") and not width else width if line.startswith("|") else 0
        assert cells in (0, width)


def test_words_that_only_some_see_are_marked() -> None:
    assert any(line.startswith("| Reason (`-o wide`) |") for line in LINES)
