"""What every model of the API shares: naming, strictness, and how schema rules are attached."""

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

Milli = Annotated[int, Field(ge=0, le=1_000_000)]
"""A fraction in thousandths: the API has no floats."""


class Model(BaseModel):
    """Base of everything users write: camelCase on the wire, unknown fields refused, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class StatusModel(BaseModel):
    """Base of everything the operator writes: unknown fields are dropped, so a newer operator's status can be read."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON body, with absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return CEL rules for `json_schema_extra`, from pairs of expression and the message a user reads."""
    return {"x-kubernetes-validations": [{"rule": expression, "message": message} for expression, message in pairs]}


def by_name() -> dict[str, Any]:
    """Return the markers of a list that server-side apply merges by `name`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}


class Condition(StatusModel):
    """One observation of an object's state, in the shape of `metav1.Condition`."""

    type: Annotated[str, Field(max_length=64)]
    status: Annotated[str, Field(json_schema_extra={"enum": ["True", "False", "Unknown"]})]
    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=1024)] = ""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    observed_generation: int = 0
