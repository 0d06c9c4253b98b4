"""docs/fault-campaign.md: what all campaigns have in common, and a section for each mode of the runner. Pure."""

from collections.abc import Iterable

from fault_campaign.judging import Campaign
from fault_campaign.modes import Mode
from fault_campaign.strikes import CUT_SECONDS

INTRODUCTION = """\
# What dies, and what becomes of it

Written by `hack/campaign`, which asks a Council of three seats the same questions again and again, strikes at a random
moment in the middle of each batch, and compares every Deliberation with its undisturbed twin. KubeRay, Ray, NATS and
the operator are real; the model is simulated. Kills are SIGKILL, of pods from outside of the container; a cut drops
every packet between two pods for {shortest:.0f} to {longest:.0f} seconds.

"Asked again" are calls that a seat was asked for once more, because the seat or the driver was lost. The ledgers tell
it, and fewer may have been made again. "Answered again" are those that the model has answered more than were needed, as
the model tells: nothing else is paid for twice. A model that was killed has forgotten what it answered. A Deliberation
has at most six calls in flight when something dies, two of each seat.
"""

SECTION = """\
{lead}

The model took {latency} ms for an answer.
On the average {unfinished:.1f} of {batch} Deliberations had not ended at the strike.

{table}

{date}, seed {seed}, {cores} cores. {total} Deliberations in {strikes} strikes, {batch} at once; undisturbed, a batch
took {seconds:.0f} s. {verdict}
"""

_MARK = "\n## "


def write_section(campaign: Campaign, mode: Mode, *, date: str, cores: int | None) -> str:
    """Return what a campaign came to, without a heading."""
    faults, batches = campaign.list_faults(), campaign.batches
    return SECTION.format(
        lead=mode.lead,
        latency=mode.latency_milliseconds,
        unfinished=sum(batch.unfinished for batch in batches) / len(batches),
        batch=len(campaign.undisturbed.bodies),
        table=campaign.tabulate({name: (fault.what, fault.expects) for name, fault in mode.faults.items()}),
        date=date,
        seed=campaign.seed,
        cores=cores,
        total=sum(len(batch.bodies) for batch in batches),
        strikes=len(batches),
        seconds=campaign.undisturbed.seconds,
        verdict="All were as undisturbed." if not faults else f"Not as it must be: {'; '.join(faults)}.",
    )


def replace_section(page: str, heading: str, section: str, *, headings: Iterable[str]) -> str:
    """Return the page with one section put in its place among `headings`, and the others left as they are."""
    known = {head: body.strip("\n") for head, _, body in (one.partition("\n") for one in page.split(_MARK)[1:])}
    known[heading] = section.strip("\n")
    shortest, longest = CUT_SECONDS
    parts = [INTRODUCTION.format(shortest=shortest, longest=longest).strip("\n")]
    parts += [f"{_MARK.strip()} {head}\n\n{known[head]}" for head in headings if head in known]
    return "\n\n".join(parts) + "\n"
