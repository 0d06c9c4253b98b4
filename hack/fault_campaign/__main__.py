"""`hack/campaign`: kills and cuts everything in the middle of many Deliberations, and compares with undisturbed ones.

Needs a cluster of `hack/cluster up` with the operator installed by its chart. The same questions are asked again for
each strike; whatever is struck, they must end with the same ranking.
"""

import argparse
import math
import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from uuid import uuid4

from demonstration.kubectl import Kubectl, NotReachedError, is_true
from fault_campaign import batches
from fault_campaign.containers import Containers, NoContainerError
from fault_campaign.faults import CUT_SECONDS, FAULTS, NEEDS_WORKERS, Target
from fault_campaign.judging import Batch, Bound, Campaign
from fault_campaign.patience import patiently

READY_SECONDS = 600
WHEN = (0.05, 0.75)
"""First and last moment of a strike, as shares of the time that an undisturbed batch takes."""

MOST_ATTEMPTS = 3
"""How often a batch is asked that had finished before the strike came."""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fault-campaign.md"

INTRODUCTION = """\
# What dies, and what becomes of it

Written by `hack/campaign`, which asks a Council of three seats the same questions again and again, strikes at a random
moment in the middle of each batch, and compares every Deliberation with its undisturbed twin. KubeRay, Ray, NATS and
the operator are real; the model is simulated and takes {latency} ms for an answer. Kills are SIGKILL, of pods from
outside of the container; a cut drops every packet between two pods for {shortest:.0f} to {longest:.0f} seconds. On the
average {unfinished} of {batch} Deliberations had not ended at the strike.
"""

CLOSING = """\

{date}, seed {seed}, {cores} cores. {total} Deliberations in {strikes} strikes, {batch} at once; undisturbed, a batch
took {seconds:.0f} s. {verdict}

"Asked again" are calls that a seat was asked for once more, because the seat or the driver was lost. The ledgers tell
it, and fewer may have been made again. "Answered again" are those that the model has answered more than were needed, as
the model tells: nothing else is paid for twice. A model that was killed has forgotten what it answered. A Deliberation
has at most six calls in flight when something dies, two of each seat.
"""


def main() -> int:
    """Run the campaign, and return 1 when a Deliberation is not as it must be."""
    wanted = read_arguments()
    containers = Containers.of(wanted.cluster)
    kubectl = Kubectl(containers.kubeconfig, f"campaign-{uuid4().hex[:6]}")
    kubectl.run("create", "namespace", kubectl.namespace)
    try:
        campaign = run(kubectl, containers, wanted)
    finally:
        with suppress(Exception):
            kubectl.run("delete", "deliberations,councils", "--all", "--wait", "--timeout=120s", seconds=130)
        patiently(lambda: kubectl.run("delete", "namespace", kubectl.namespace, "--wait=false"))
    page = write_page(campaign)
    print(f"\n{page}")
    if wanted.write:
        PAGE.write_text(page)
    return 1 if campaign.list_faults() else 0


def read_arguments() -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(prog="hack/campaign", description=__doc__)
    parser.add_argument("--cluster", default="default", help="name of the cluster (default: %(default)s)")
    parser.add_argument("--deliberations", type=int, default=200, help="at least so many, all strikes together")
    parser.add_argument("--batch", type=int, default=8, help="Deliberations at a time, for one strike (%(default)s)")
    parser.add_argument("--faults", nargs="*", choices=FAULTS, metavar="FAULT", help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--workers", type=int, default=0, help="Ray workers beside the head (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and the victims (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    return parser.parse_args()


def run(kubectl: Kubectl, containers: Containers, wanted: argparse.Namespace) -> Campaign:
    """Ask without a strike, and then once for each strike."""
    patiently(lambda: kubectl.apply(batches.council(workers=wanted.workers)))
    await_ready(kubectl)
    batches.run(kubectl, "warm", 4, strike=batches.leave_alone)
    calm = batches.run(kubectl, "calm", wanted.batch, strike=batches.leave_alone)
    campaign = Campaign(
        calm, wanted.seed, {name: Bound(fault.most_asked, fault.most) for name, fault in FAULTS.items()}
    )
    print(f"undisturbed: {wanted.batch} Deliberations in {campaign.undisturbed.seconds:.0f} s", flush=True)
    names = wanted.faults or [name for name in FAULTS if wanted.workers or name not in NEEDS_WORKERS]
    rounds = math.ceil(wanted.deliberations / (wanted.batch * len(names)))
    dice = Random(wanted.seed)  # noqa: S311 - a campaign that can be repeated
    for number, name in enumerate(names * rounds, 1):
        for attempt in range(1, MOST_ATTEMPTS + 1):
            await_ready(kubectl)
            prefix = f"b{number}-{attempt}"
            batch = strike_once(kubectl, containers, dice, prefix, name, campaign.undisturbed)
            if batch.unfinished:
                break
            print(f"{name}: all had finished before it struck, and are asked again", flush=True)
        campaign.batches.append(batch)
        found = campaign.judge(batch)
        told = "; ".join(found.faults) or "all as undisturbed"
        print(
            f"{name}: {batch.unfinished} of {len(batch.bodies)} unfinished at the strike, {batch.seconds:.0f} s, "
            f"{found.repeated} calls asked again, {found.answered_again} answered again; {told}",
            flush=True,
        )
    return campaign


def strike_once(
    kubectl: Kubectl, containers: Containers, dice: Random, prefix: str, name: str, undisturbed: Batch
) -> Batch:
    """Return how a batch ended that was struck at a random moment of its middle."""
    fault = FAULTS[name]
    target = partial(Target, kubectl, containers, dice)
    after = dice.uniform(*WHEN) * undisturbed.seconds
    try:
        fault.prepare(target(lambda: None))
        number = len(undisturbed.bodies)
        batch = batches.run(kubectl, prefix, number, after=after, strike=lambda note: fault.strike(target(note)))
    except NoContainerError as error:
        raise SystemExit(f"{name}: {error}") from None
    return replace(batch, struck=name)


def await_ready(kubectl: Kubectl) -> None:
    """Return as soon as the Council is Ready. A watch that breaks off early, as on a busy machine, is begun again.

    Raises:
        NotReachedError: it is not for READY_SECONDS.
    """
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            kubectl.wait_for("councils", batches.COUNCIL, lambda body: is_true(body, "Ready"), seconds=60)
        except NotReachedError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return


def write_page(campaign: Campaign) -> str:
    """Return docs/fault-campaign.md."""
    faults = campaign.list_faults()
    shortest, longest = CUT_SECONDS
    closing = CLOSING.format(
        date=datetime.now(UTC).date().isoformat(),
        seed=campaign.seed,
        cores=os.cpu_count(),
        total=sum(len(batch.bodies) for batch in campaign.batches),
        strikes=len(campaign.batches),
        batch=len(campaign.undisturbed.bodies),
        seconds=campaign.undisturbed.seconds,
        verdict="All were as undisturbed." if not faults else f"Not as it must be: {'; '.join(faults)}.",
    )
    table = campaign.tabulate({name: (fault.what, fault.expects) for name, fault in FAULTS.items()})
    latency = batches.LATENCY_MILLISECONDS
    met = sum(batch.unfinished for batch in campaign.batches) / len(campaign.batches)
    introduction = INTRODUCTION.format(
        latency=latency,
        shortest=shortest,
        longest=longest,
        unfinished=f"{met:.1f}",
        batch=len(campaign.undisturbed.bodies),
    )
    return f"{introduction}\n{table}\n{closing}"


if __name__ == "__main__":
    sys.exit(main())
