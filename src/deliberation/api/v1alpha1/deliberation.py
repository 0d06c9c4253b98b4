"""The Deliberation: one question put to a Council, and the answer that comes back."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.answer_schema import KEYWORDS
from deliberation.api.v1alpha1.base import DnsLabel, Model, ObjectName, Rule, by_name, rules
from deliberation.api.v1alpha1.strategy import Strategy

IMMUTABLE_FIELDS = (
    "councilRef",
    "question",
    "context",
    "requirements",
    "criteria",
    "answer",
    "strategy",
    "quorum",
    "timeoutSeconds",
    "budget",
    "priority",
    "topK",
    "seed",
)
"""Fields of the spec that cannot change after creation; `suspend`, `cancel` and `ttlSecondsAfterFinished` can."""

DEFAULT_TIMEOUT_SECONDS = 600

MAX_TEXT_BYTES = 131_072
"""Most bytes of UTF-8 that question and context have together: a task must fit one message, and `kubectl apply` keeps
the whole manifest, escaped, in an annotation of at most 256 KiB."""

LongText = Annotated[str, StringConstraints(min_length=1, max_length=65_536)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class CouncilReference(Model):
    """A Council of the same namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Council")]


class ContextText(Model):
    """A named text that every seat reads beside the question."""

    name: Annotated[DnsLabel, Field(description="What the text is called in the prompt")]
    text: Annotated[LongText, Field(description="What every seat reads")]


class Criterion(Model):
    """One thing that judges score, from 1 to 5."""

    name: Annotated[DnsLabel, Field(description="What the criterion is called in ballots and status")]
    description: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=512),
        Field(description="What judges look for, for them to read"),
    ] = None
    weight_milli: Annotated[
        int, Field(ge=1, le=1000, description="Weight of the criterion, relative to the others")
    ] = 500


class AnswerType(StrEnum):
    """What kind of answer a proposal must give."""

    TEXT = "Text"
    CHOICE = "Choice"
    NUMBER = "Number"
    BOOLEAN = "Boolean"
    JSON = "JSON"


class Answer(Model):
    """The form of the answer."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.type != 'Choice' || has(self.choices)",
                "type Choice needs choices: give 2 to 26 of them",
                field="choices",
            ),
            Rule(
                "self.type == 'Choice' || !has(self.choices)",
                "choices belong to type Choice: set type: Choice or leave them out",
                field="choices",
            ),
            Rule(
                "self.type == 'Number' || !has(self.toleranceMilli)",
                "toleranceMilli belongs to type Number: set type: Number or leave it out",
                field="toleranceMilli",
            ),
            Rule(
                "self.type == 'Number' || !has(self.unit)",
                "unit belongs to type Number: set type: Number or leave it out",
                field="unit",
            ),
            Rule(
                "self.type != 'JSON' || has(self.schema)",
                "type JSON needs schema: give the JSON schema of the answer",
                field="schema",
            ),
            Rule(
                "self.type == 'JSON' || !has(self.schema)",
                "schema belongs to type JSON: set type: JSON or leave it out",
                field="schema",
            ),
        )
    )

    type: Annotated[AnswerType, Field(description="Kind of answer that every proposal must give")] = AnswerType.TEXT
    choices: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=128)], ...] | None,
        Field(
            min_length=2,
            max_length=26,
            json_schema_extra={"x-kubernetes-list-type": "set"},
            description="Answers to choose from; belongs to type Choice",
        ),
    ] = None
    tolerance_milli: Annotated[
        int | None,
        Field(
            ge=0,
            le=1_000_000_000,
            description="Numbers no further apart than this, in thousandths, are the same answer",
        ),
    ] = None
    unit: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=16, pattern=r"^[^\s0-9.,'_+-]\S*$"),
        Field(description="Unit of the number, like ms or GiB; an answer in another unit is none"),
    ] = None
    json_schema: Annotated[
        dict[str, Any] | None,
        Field(
            alias="schema",
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
            description="JSON schema that the answer must satisfy, at most 8 KiB, of these keywords: "
            + ", ".join(sorted(KEYWORDS)),
        ),
    ] = None

    @property
    def is_closed(self) -> bool:
        """Return whether equal answers are to be expected, so that they can be counted."""
        return self.type in {AnswerType.CHOICE, AnswerType.NUMBER, AnswerType.BOOLEAN}


class Budget(Model):
    """What the Deliberation may cost."""

    tokens: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000_000_000,
            description="Most tokens, read and written together. A stage that might exceed it is not begun, and what "
            "there is then is the result; a ballot that cannot be read is then not asked for again",
        ),
    ]


def _immutable_rules() -> tuple[Rule, ...]:
    """Return the transition rules that refuse a change of any immutable field, whether set, changed or removed."""
    return tuple(
        Rule(
            f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
            f"{field} cannot be changed after creation: delete this Deliberation and create another",
            field=field,
            forbids_change=True,
        )
        for field in IMMUTABLE_FIELDS
    )


class DeliberationSpec(Model):
    """What a user asks. Immutable, but for `suspend`, `cancel` and `ttlSecondsAfterFinished`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *_immutable_rules(),
            Rule(
                "!oldSelf.cancel || self.cancel",
                "cancel cannot be taken back: create another Deliberation",
                field="cancel",
                forbids_change=True,
            ),
            Rule(
                "self.strategy.type != 'Debate' || self.answer.type in ['Choice', 'Number', 'Boolean']",
                "a Debate is decided by counting, so it needs answer.type Choice, Number or Boolean: set one, or let "
                "texts be revised by type Critique",
                field="strategy",
            ),
            Rule(
                "!has(self.strategy.stop) || self.strategy.stop == 'None' || !has(self.answer.toleranceMilli)",
                "with a tolerance every vote may move the answer, so none can be spared: leave out "
                "answer.toleranceMilli, or stop",
                field="strategy",
            ),
            Rule(
                "bytes(self.question).size()"
                " + (has(self.context) ? self.context.map(c, bytes(c.text).size()).sum() : 0)"
                f" <= {MAX_TEXT_BYTES}",
                f"question and context may have at most {MAX_TEXT_BYTES} bytes of UTF-8 together: shorten them",
                field="question",
            ),
        )
    )

    council_ref: CouncilReference
    question: Annotated[
        LongText,
        Field(
            description="What the Council is to answer",
            json_schema_extra=rules(
                Rule(r"self.matches('\\S')", "question is blank: write what the Council is to answer")
            ),
        ),
    ]
    context: Annotated[
        tuple[ContextText, ...],
        Field(max_length=8, json_schema_extra=by_name(), description="Texts that every seat reads beside the question"),
    ] = ()
    requirements: Annotated[
        tuple[ShortText, ...], Field(max_length=32, description="Short statements that a proposal must meet")
    ] = ()
    criteria: Annotated[
        tuple[Criterion, ...],
        Field(
            max_length=8,
            json_schema_extra=by_name(),
            description="What judges score; default correctness 500, completeness 300, clarity 200",
        ),
    ] = ()
    answer: Answer = Answer()
    strategy: Strategy = Strategy()
    quorum: Annotated[
        int | None,
        Field(ge=1, le=64, description="Least number of valid proposals; default is more than half of the seats"),
    ] = None
    budget: Budget | None = None
    timeout_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=86_400,
            description="Time from admission to the result, less the time that it waited for a Council that sleeps or "
            "is not ready; the start of a runner of its own counts; the waiting for its turn, or for a Council that "
            "does not exist yet, does not",
        ),
    ] = DEFAULT_TIMEOUT_SECONDS
    priority: Annotated[
        int, Field(ge=-1000, le=1000, description="Who is admitted first of a Council's queue: the higher one")
    ] = 0
    top_k: Annotated[int, Field(ge=1, le=10, description="Proposals to show in the status, best first")] = 5
    seed: Annotated[
        int, Field(ge=0, le=2_147_483_647, description="Seeds the sampling of every seat, each differently")
    ] = 42
    suspend: Annotated[
        bool,
        Field(description="true stops the Deliberation, or keeps it from being admitted; false lets it go on"),
    ] = False
    ttl_seconds_after_finished: Annotated[
        int | None,
        Field(ge=0, le=31_536_000, description="When to delete a finished Deliberation; default never"),
    ] = None
    cancel: Annotated[bool, Field(description="true ends the Deliberation; what it has so far is kept")] = False


DEFAULT_CRITERIA = (
    Criterion(name="correctness", description="Is it right, and does it meet every requirement?", weight_milli=500),
    Criterion(name="completeness", description="Does it leave out nothing that matters?", weight_milli=300),
    Criterion(name="clarity", description="Can the reader act on it at once?", weight_milli=200),
)
"""Criteria of a Deliberation that declares none."""
