"""What a case of refusal is, and how all of a kind are shown to be there."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from contract.api_server import ApiServer
from crd_schema import walk
from deliberation.api.v1alpha1.kinds import Kind
from generate_crds import build_definition

Body = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """An object, and the field and rule that its refusal must name."""

    name: str
    body: Body
    field: str
    rule: str

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def assert_refused(server: ApiServer, case: Case) -> None:
    refusal = server.refusal(case.body)
    assert case.field in refusal
    assert case.rule in refusal


def find_rules_without_a_case(kind: Kind, shown: Iterable[str]) -> list[str]:
    """Return the messages of the kind's rules that hold none of what is shown."""
    schema = build_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    messages = (rule["message"] for _, part in walk(schema, kind.name) for rule in _rules_of(part))
    return [message for message in messages if not any(rule in message for rule in shown)]


def _rules_of(part: Body) -> list[Body]:
    rules: list[Body] = part.get("x-kubernetes-validations", [])
    return rules
