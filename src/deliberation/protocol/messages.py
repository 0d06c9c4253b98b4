"""Messages and their versions: unknown fields are kept, unknown versions refused, so that peers may differ."""

import json
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class Message(BaseModel):
    """Base of every message: camelCase on the wire, immutable, unknown fields kept."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)

    def encode(self) -> bytes:
        """Return the bytes on the wire: compact JSON with sorted keys, so equal messages are equal bytes."""
        body = self.model_dump(by_alias=True, exclude_none=True)
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


AnyMessage = TypeVar("AnyMessage", bound=Message)


class MalformedMessageError(ValueError):
    """Bytes that are no message of a version that this code knows."""

    @classmethod
    def of(cls, error: ValidationError) -> Self:
        """Tell where and why validation failed, without the content: that is text of users and models."""
        faults = error.errors(include_input=False, include_context=False, include_url=False)
        return cls(
            "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['type']}" for fault in faults[:5])
        )


def decode(kind: type[AnyMessage], data: bytes) -> AnyMessage:
    """Return the message of the given kind.

    Raises:
        MalformedMessageError: `data` is no such message of a known version.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise MalformedMessageError.of(error) from None
