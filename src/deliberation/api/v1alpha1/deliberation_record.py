"""What a Deliberation cost, and what another run needs to be comparable."""

from typing import Annotated

from pydantic import Field

from deliberation.api.v1alpha1.base import Id, ShortText, StatusModel, by_name

MAX_MODEL_RECORDS = 16
"""Most models that take part: one for each member, whose adapter counts as a model of its own."""


class StageUsage(StatusModel):
    """Calls and tokens of one stage."""

    name: Id
    """propose or judge"""
    calls: int = 0
    """Calls that the model servers answered"""
    prompt_tokens: int = 0
    """Tokens read"""
    completion_tokens: int = 0
    """Tokens written"""


class UsageStatus(StatusModel):
    """Calls, tokens and time of the whole Deliberation."""

    calls: int = 0
    """Calls that the model servers answered"""
    repeated_calls: int = 0
    """Calls asked for again, because the runner or the actor that waited was lost; fewer may have been made twice"""
    prompt_tokens: int = 0
    """Tokens read"""
    cached_tokens: int = 0
    """Of these, tokens that a server had read before"""
    completion_tokens: int = 0
    """Tokens written"""
    total_tokens: int = 0
    """Tokens read and written"""
    by_stage: Annotated[tuple[StageUsage, ...], Field(max_length=8, json_schema_extra=by_name())] = ()
    """The same, stage by stage"""
    wall_milliseconds: int | None = None
    """From admission to the verdict"""


class ModelRecord(StatusModel):
    """One model that took part."""

    name: Id
    """Name of the model in the Council, with that of the adapter behind a slash"""
    model: ShortText
    """Name of the model at its server"""
    revision: Annotated[str | None, Field(max_length=128)] = None
    """Revision of the weights, if pinned"""
    simulated: bool = False
    """true if it only pretended"""


class Reproducibility(StatusModel):
    """What another run needs to be comparable."""

    seed: int
    """The seed of the spec"""
    prompt_sha256: Annotated[str, Field(max_length=64)]
    """Digest of the text that all seats share"""
    engine_version: ShortText
    """Version of the engine; another one may come to another result"""
    models: Annotated[tuple[ModelRecord, ...], Field(max_length=MAX_MODEL_RECORDS, json_schema_extra=by_name())] = ()
    """The models and adapters that took part"""


class TranscriptReference(StatusModel):
    """Where every entry of the run lies."""

    stream: ShortText
    """JetStream stream"""
    subject: ShortText
    """Subject that selects every entry of the run"""
    sha256: Annotated[str | None, Field(max_length=64)] = None
    """Digest of the entries that count, in the order of their keys, each as JSON on a line; absent before the end"""
