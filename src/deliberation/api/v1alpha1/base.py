"""What the models of the API share: naming, strictness, plain values, and how schema rules are attached."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

API_VERSION = "councils.dev/v1alpha1"

DnsLabel = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A name that is also one token of a NATS subject and part of a Kubernetes object's name."""

ObjectName = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")
]
"""The name of another object in the same namespace."""

DataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
"""A key of a Secret or ConfigMap."""

ImageReference = Annotated[str, StringConstraints(min_length=1, max_length=512)]

MemoryQuantity = Annotated[str, StringConstraints(min_length=3, max_length=12, pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$")]
"""An amount of memory, such as 12Gi."""

Milli = Annotated[int, Field(ge=0, le=1_000_000)]
"""A fraction in thousandths: the API has no floats."""

Id = Annotated[str, Field(max_length=63)]
"""An id in a status."""

ShortText = Annotated[str, Field(max_length=256)]
"""A line in a status."""


def mebibytes(quantity: str) -> int:
    """Return an amount of memory in MiB.

    Raises:
        ValueError: it is no `MemoryQuantity`.
    """
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}[quantity[-2:]]


class Model(BaseModel):
    """Base of everything users write: camelCase on the wire, unknown fields refused, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class KeyReference(Model):
    """One key of a Secret or ConfigMap in the Council's namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret or ConfigMap")]
    key: Annotated[DataKey, Field(description="Key of its data")]


class StatusModel(BaseModel):
    """Base of everything the operator writes: unknown fields are dropped, so a newer operator's status can be read."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON body, with absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True)
class Rule:
    """One rule that the API server checks on every write.

    Attributes:
        expression: CEL over `self`, and over `oldSelf` where the rule is about a change.
        message: what the user reads when it does not hold: the rule and, where it helps, the way out.
        field: the property that the refusal points to, below the object that carries the rule; empty points to that
            object.
        forbids_change: the refusal says that the change is forbidden, instead of showing the value.
    """

    expression: str
    message: str
    field: str = ""
    forbids_change: bool = False

    def to_json(self) -> dict[str, str]:
        """Return the rule as an entry of `x-kubernetes-validations`."""
        body = {"rule": self.expression, "message": self.message}
        if self.field:
            body["fieldPath"] = f".{self.field}"
        if self.forbids_change:
            body["reason"] = "FieldValueForbidden"
        return body


def rules(*each: Rule) -> dict[str, Any]:
    """Return the rules as `json_schema_extra` of a model or field."""
    return {"x-kubernetes-validations": [rule.to_json() for rule in each]}


def list_by(key: str) -> dict[str, Any]:
    """Return the markers of a list that server-side apply merges by this property of its items."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def by_name() -> dict[str, Any]:
    """Return the markers of a list that server-side apply merges by `name`."""
    return list_by("name")


class Condition(StatusModel):
    """One observation of an object's state, in the shape of `metav1.Condition`."""

    type: Annotated[str, Field(max_length=64)]
    """What it is about"""
    status: Annotated[str, Field(json_schema_extra={"enum": ["True", "False", "Unknown"]})]
    """Whether it is so"""
    reason: Annotated[str, Field(max_length=64)]
    """Why, as one word that never changes its meaning"""
    message: Annotated[str, Field(max_length=1024)] = ""
    """Why, for people"""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When the status changed last"""
    observed_generation: int = 0
    """Generation of the spec that it is about"""


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16, json_schema_extra=list_by("type"))]
"""The conditions of an object, each type at most once."""
