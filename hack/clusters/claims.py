"""Which cluster has which part of the address ranges: a matter of the whole machine, whichever user's cluster it is."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from ipaddress import IPv4Network
from pathlib import Path

from clusters.addresses import AddressPlan, free_plan
from clusters.locks import locked

# Emptied when the machine starts anew, as links and cgroups are.
FOLDER = Path("/run/council-operator")


def undisturbed() -> AbstractContextManager[None]:
    """Keep others from claiming until the body, which claims and then writes its cluster down, has ended."""
    return locked(FOLDER.parent)


def take(cluster: Path, routes: Iterable[IPv4Network]) -> AddressPlan:
    """Claim the first free plan for the cluster that will lie in a folder.

    Raises:
        Refusal: none is free.
    """
    FOLDER.mkdir(exist_ok=True)
    used = [int(claim.name) for claim in FOLDER.iterdir() if Path(claim.read_text()).exists()]
    plan = free_plan(used, routes)
    (FOLDER / str(plan.index)).write_text(str(cluster))
    return plan


def holds(cluster: Path, plan: AddressPlan) -> bool:
    """Tell whether the cluster in a folder is the one that has claimed a plan."""
    claim = FOLDER / str(plan.index)
    return claim.exists() and claim.read_text() == str(cluster)


def give_back(cluster: Path, plan: AddressPlan) -> None:
    """Free a plan, if it is this cluster's; the last one takes the folder of claims away."""
    with undisturbed():
        if holds(cluster, plan):
            (FOLDER / str(plan.index)).unlink()
            if not any(FOLDER.iterdir()):
                FOLDER.rmdir()
