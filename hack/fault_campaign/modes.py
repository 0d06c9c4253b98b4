"""The two ways in which runners come to questions, and what can strike them in each."""

from collections.abc import Mapping
from dataclasses import dataclass

from demonstration.kubectl import Body
from fault_campaign.faults import FAULTS, NEEDS_WORKERS, OWN_FAULTS, Fault
from fault_campaign.judging import Bound


@dataclass(frozen=True)
class Mode:
    """How a campaign is run against one mode of the runner.

    Attributes:
        heading: of its section in the page.
        lead: the section's first words.
        runner: what the Council says of its runner.
        faults: all that can strike, by name.
        batch: Deliberations at a time, unless told otherwise.
        deliberations: at least so many in all, unless told otherwise.
        latency_milliseconds: how long the model takes for an answer: a run is to last a while.
        waits_for_work: whether the moment of a strike counts from when all of a batch were taken up. Runners that start
            with their questions take most of the time for that.
    """

    heading: str
    lead: str
    runner: Body
    faults: Mapping[str, Fault]
    batch: int
    deliberations: int
    latency_milliseconds: int
    waits_for_work: bool = False

    @property
    def bounds(self) -> dict[str, Bound]:
        """What each fault may cost one Deliberation, by name."""
        return {name: Bound(one.most_asked, one.most, one.most_attempts) for name, one in self.faults.items()}

    def find_span(self, undisturbed_seconds: float) -> float:
        """Return the time in whose middle a strike falls, in seconds: of a batch, or of the calls in it.

        A Panel calls its models twice, one after the other: for proposals and for ballots.
        """
        return 2 * self.latency_milliseconds / 1000 if self.waits_for_work else undisturbed_seconds

    def list_faults(self, *, workers: int) -> list[str]:
        """Return the faults that can strike a runner with so many Ray workers."""
        return [name for name in self.faults if workers or name not in NEEDS_WORKERS]


MODES = {
    "Warm": Mode(
        heading="One runner for all questions",
        lead="`hack/campaign --workers 1` strikes a warm runner, which all Deliberations of a batch share.",
        runner={"maxConcurrentDeliberations": 32},
        faults=FAULTS,
        batch=8,
        deliberations=200,
        latency_milliseconds=3000,
    ),
    "PerDeliberation": Mode(
        heading="A runner for each question",
        lead="""\
`hack/campaign --mode PerDeliberation` strikes runners that have one question each: a RayJob, with a Ray cluster, for
each attempt at it. It strikes when all questions of the batch were taken up, and what it kills of the runners it kills
in each of them. "Attempts" are those that the statuses count, of all Deliberations together; so many RayJobs there
were.""",
        runner={"mode": "PerDeliberation", "maxConcurrentDeliberations": 3},
        faults=OWN_FAULTS,
        batch=3,
        deliberations=27,
        latency_milliseconds=12_000,
        waits_for_work=True,
    ),
}
