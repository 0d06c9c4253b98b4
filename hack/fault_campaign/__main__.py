"""`hack/campaign`: kills and cuts everything in the middle of many Deliberations, and compares with undisturbed ones.

Needs a cluster of `hack/cluster up` with the operator installed by its chart. The same questions are asked again for
each strike; whatever is struck, they must end with the same ranking. Each mode of the runner has a campaign of its own.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
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
from fault_campaign.faults import Fault
from fault_campaign.judging import Batch, Campaign
from fault_campaign.modes import MODES
from fault_campaign.page import replace_section, write_section
from fault_campaign.patience import patiently
from fault_campaign.strikes import Target

READY_SECONDS = 600
WHEN = (0.05, 0.75)
"""First and last moment of a strike, as shares of the time in whose middle it is to fall."""

MOST_ATTEMPTS = 3
"""How often a batch is asked that had finished before the strike came."""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fault-campaign.md"


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
    mode = MODES[wanted.mode]
    section = write_section(campaign, mode, date=datetime.now(UTC).date().isoformat(), cores=os.cpu_count())
    print(f"\n{section}")
    if wanted.write:
        headings = [one.heading for one in MODES.values()]
        PAGE.write_text(replace_section(PAGE.read_text(), mode.heading, section, headings=headings))
    return 1 if campaign.list_faults() else 0


def read_arguments() -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(prog="hack/campaign", description=__doc__)
    parser.add_argument("--cluster", default="default", help="name of the cluster (default: %(default)s)")
    parser.add_argument("--mode", choices=MODES, default="Warm", help="of the runner (default: %(default)s)")
    parser.add_argument("--deliberations", type=int, help="at least so many, all strikes together")
    parser.add_argument("--batch", type=int, help="Deliberations at a time, for one strike")
    known = {name: None for mode in MODES.values() for name in mode.faults}
    parser.add_argument("--faults", nargs="*", choices=known, metavar="FAULT", help=f"of {', '.join(known)}")
    parser.add_argument("--workers", type=int, default=0, help="Ray workers beside the head (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and the victims (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    wanted = parser.parse_args()
    mode = MODES[wanted.mode]
    strange = [name for name in wanted.faults or () if name not in mode.faults]
    if strange:
        parser.error(f"with --mode {wanted.mode} there is no {', '.join(strange)}: it has {', '.join(mode.faults)}")
    wanted.batch = wanted.batch or mode.batch
    wanted.deliberations = wanted.deliberations or mode.deliberations
    return wanted


def run(kubectl: Kubectl, containers: Containers, wanted: argparse.Namespace) -> Campaign:
    """Ask without a strike, and then once for each strike."""
    mode = MODES[wanted.mode]
    council = batches.council(mode.runner, mode.latency_milliseconds, workers=wanted.workers)
    patiently(lambda: kubectl.apply(council))
    await_ready(kubectl)
    batches.run(kubectl, "warm", min(4, wanted.batch), strike=batches.leave_alone)
    calm = batches.run(kubectl, "calm", wanted.batch, strike=batches.leave_alone)
    campaign = Campaign(calm, wanted.seed, mode.bounds)
    print(f"undisturbed: {wanted.batch} Deliberations in {campaign.undisturbed.seconds:.0f} s", flush=True)
    names = wanted.faults or mode.list_faults(workers=wanted.workers)
    rounds = math.ceil(wanted.deliberations / (wanted.batch * len(names)))
    dice = Random(wanted.seed)  # noqa: S311 - a campaign that can be repeated
    for number, name in enumerate(names * rounds, 1):
        for attempt in range(1, MOST_ATTEMPTS + 1):
            await_ready(kubectl)
            after = dice.uniform(*WHEN) * mode.find_span(campaign.undisturbed.seconds)
            prefix = f"b{number}-{attempt}"
            ask = partial(batches.run, kubectl, prefix, wanted.batch, after=after, in_work=mode.waits_for_work)
            batch = strike_once(ask, mode.faults[name], partial(Target, kubectl, containers, dice))
            if batch.unfinished:
                break
            print(f"{name}: it struck when all had finished, and they are asked again", flush=True)
        campaign.batches.append(replace(batch, struck=name))
        found = campaign.judge(campaign.batches[-1])
        told = "; ".join(found.faults) or "all as undisturbed"
        print(
            f"{name}: {batch.unfinished} of {len(batch.bodies)} unfinished at the strike, {batch.seconds:.0f} s, "
            f"{found.repeated} calls asked again, {found.answered_again} answered again, "
            f"{found.attempts or 'no'} attempts; {told}",
            flush=True,
        )
    return campaign


def strike_once(ask: Callable[..., Batch], fault: Fault, target: Callable[[Callable[[], None]], Target]) -> Batch:
    """Return how a batch ended that was struck in its middle, if something was left to strike."""

    def strike(note_strike: Callable[[], None]) -> None:
        try:
            fault.strike(target(note_strike))
        except NoContainerError as error:
            print(f"{fault.what}: {error}", flush=True)

    fault.prepare(target(lambda: None))
    return ask(strike=strike)


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


if __name__ == "__main__":
    sys.exit(main())
