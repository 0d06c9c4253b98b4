"""How a Council comes to a result, as a Deliberation declares it."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from deliberation.api.v1alpha1.base import DnsLabel, Model, Rule, rules


class StrategyType(StrEnum):
    """How the Council comes to a result."""

    AUTO = "Auto"
    VOTE = "Vote"
    PANEL = "Panel"
    CRITIQUE = "Critique"
    DEBATE = "Debate"
    MIXTURE_OF_AGENTS = "MixtureOfAgents"


class Topology(StrEnum):
    """Whose answers a seat reads in a Debate."""

    FULL = "Full"
    RING = "Ring"
    STAR = "Star"


class Aggregation(StrEnum):
    """How ballots or votes become an order."""

    SCORE_MEAN = "ScoreMean"
    BORDA = "Borda"
    COPELAND = "Copeland"
    KEMENY = "Kemeny"
    BRADLEY_TERRY = "BradleyTerry"
    PLURALITY = "Plurality"


class Judging(StrEnum):
    """How judges give their scores."""

    BALLOTS = "Ballots"
    DECISIONS = "Decisions"


class Stop(StrEnum):
    """When to stop asking before everybody has answered."""

    NONE = "None"
    UNASSAILABLE = "Unassailable"
    BETA = "Beta"


class Synthesis(Model):
    """One seat writes the result from the best proposals."""

    enabled: Annotated[bool, Field(description="Whether one seat writes the result from the best proposals")] = True
    member_ref: Annotated[
        DnsLabel | None,
        Field(description="Member whose first seat writes it; default is the first member of the Council"),
    ] = None


def _belongs_to(field: str, *types: StrategyType) -> Rule:
    """Return the rule that a field of the strategy is only given with these types."""
    names = [kind.value for kind in types]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return Rule(
        f"!has(self.{field}) || self.type in {names}",
        f"{field} is for type {listed}: set type so, or leave {field} out",
        field=field,
    )


class Strategy(Model):
    """How the Council comes to a result. What is left out has the default of its type; Auto takes samples alone."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            _belongs_to("rounds", StrategyType.CRITIQUE, StrategyType.DEBATE, StrategyType.MIXTURE_OF_AGENTS),
            _belongs_to("topology", StrategyType.DEBATE),
            _belongs_to("keepIfMajority", StrategyType.DEBATE),
            _belongs_to("samples", StrategyType.AUTO, StrategyType.VOTE, StrategyType.PANEL),
            _belongs_to("stop", StrategyType.VOTE),
            _belongs_to("orders", StrategyType.PANEL, StrategyType.CRITIQUE),
            _belongs_to("aggregation", StrategyType.PANEL, StrategyType.CRITIQUE),
            _belongs_to("judging", StrategyType.PANEL, StrategyType.CRITIQUE),
            _belongs_to("synthesis", StrategyType.PANEL, StrategyType.CRITIQUE, StrategyType.MIXTURE_OF_AGENTS),
            Rule(
                "self.type != 'MixtureOfAgents' || !has(self.synthesis) || self.synthesis.enabled",
                "the result of a MixtureOfAgents is a synthesis: leave synthesis.enabled out, or choose another type",
                field="synthesis",
            ),
        )
    )

    type: Annotated[
        StrategyType,
        Field(
            description="Vote: the most frequent answer wins. Panel: seats judge each other's proposals blind. "
            "Critique: seats criticise each other and revise before they judge. Debate: seats read each other and "
            "answer again before they vote. MixtureOfAgents: in layers, seats make better answers of those of the "
            "layer before. Auto: Vote for closed answers, Panel otherwise"
        ),
    ] = StrategyType.AUTO
    rounds: Annotated[
        int | None,
        Field(
            ge=1,
            le=3,
            description="Critique and Debate: how often seats exchange; MixtureOfAgents: layers after the first, the "
            "synthesis being the last; default 1",
        ),
    ] = None
    topology: Annotated[
        Topology | None,
        Field(
            description="Debate: whose answers a seat reads. Full: all others'; Ring: both neighbours'; Star: the "
            "first seat reads all, the others read the first; default Full"
        ),
    ] = None
    keep_if_majority: Annotated[
        bool | None,
        Field(description="Debate: seats of the absolute majority keep their answers and are not asked; default true"),
    ] = None
    samples: Annotated[
        int | None, Field(ge=1, le=16, description="Vote and Panel: proposals of each seat; default 1")
    ] = None
    aggregation: Annotated[
        Aggregation | None,
        Field(
            description="Panel and Critique: how ballots become an order; Plurality counts first places; default "
            "ScoreMean"
        ),
    ] = None
    stop: Annotated[
        Stop | None,
        Field(
            description="Vote: Unassailable stops waiting for seats when they cannot change the winner any more; Beta "
            "also when the votes so far make the winner 95 % sure, so it may err, and needs members of one "
            "weightMilli; default None"
        ),
    ] = None
    orders: Annotated[
        int | None,
        Field(
            ge=1,
            le=2,
            description="Panel and Critique: ballots of each judge; the second one reads the proposals in reverse, "
            "which evens out a liking for places; default 2",
        ),
    ] = None
    judging: Annotated[
        Judging | None,
        Field(
            description="Panel and Critique: Ballots has judges write their reasons and scores; Decisions reads the "
            "scores off the model's next token, at servers that have /v1/decisions, which writes next to nothing and "
            "gives no reasons. A server without it is asked for ballots, and a warning says so; default Ballots"
        ),
    ] = None
    synthesis: Annotated[
        Synthesis | None,
        Field(
            description="Panel and Critique: one more seat writes the result from the topK proposals; default is none. "
            "MixtureOfAgents: who writes the last layer"
        ),
    ] = None
