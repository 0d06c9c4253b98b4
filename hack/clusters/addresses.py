"""The addresses of a cluster, derived from its index, so that clusters live beside each other (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from clusters.errors import Refusal

MOST_CLUSTERS = 16
MOST_NODES = 16
NODES = IPv4Network("10.213.0.0/16")
PODS = IPv4Network("10.214.0.0/16")
SERVICES = IPv4Network("10.215.0.0/16")


@dataclass(frozen=True)
class AddressPlan:
    """Every address, link and cgroup name of the cluster with this index.

    Attributes:
        index: 0 to 15; each index has ranges that overlap with those of no other.
    """

    index: int

    @property
    def nodes(self) -> IPv4Network:
        """The network that joins the host and the nodes."""
        return IPv4Network((int(NODES.network_address) + self.index * 256, 24))

    @property
    def pods(self) -> IPv4Network:
        """All pods of the cluster."""
        return IPv4Network((int(PODS.network_address) + self.index * 4096, 20))

    @property
    def services(self) -> IPv4Network:
        """All Services of the cluster."""
        return IPv4Network((int(SERVICES.network_address) + self.index * 4096, 20))

    @property
    def host(self) -> IPv4Address:
        """This machine, as the nodes see it."""
        return self.nodes[1]

    @property
    def api_service(self) -> IPv4Address:
        """The Service `kubernetes` of the namespace `default`."""
        return self.services[1]

    @property
    def dns(self) -> IPv4Address:
        """The Service `kube-dns` of the namespace `kube-system`."""
        return self.services[10]

    @property
    def api_url(self) -> str:
        """The API server, which runs on the first node."""
        return f"https://{self.node(1)}:6443"

    @property
    def link(self) -> str:
        """The one network link that the host has; also the name of the cgroup above those of the nodes."""
        return f"council{self.index}"

    def node(self, number: int) -> IPv4Address:
        """Return the address of a node, counted from 1."""
        return self.nodes[number + 1]

    def pods_of(self, number: int) -> IPv4Network:
        """Return the range of the pods of a node, counted from 1."""
        return IPv4Network((int(self.pods.network_address) + (number - 1) * 256, 24))


def free_plan(used: Iterable[int], routes: Iterable[IPv4Network]) -> AddressPlan:
    """Return the plan with the least index that neither another cluster nor a route of the host uses.

    Args:
        used: the indexes of the clusters that there are.
        routes: the destinations of the host's routes, without the default route.

    Raises:
        Refusal: none is left.
    """
    taken, known = set(used), list(routes)
    in_the_way: IPv4Network | None = None
    for index in range(MOST_CLUSTERS):
        if index in taken:
            continue
        plan = AddressPlan(index)
        overlapping = [
            route for route in known for own in (plan.nodes, plan.pods, plan.services) if route.overlaps(own)
        ]
        if not overlapping:
            return plan
        in_the_way = overlapping[0]
    if in_the_way is not None:
        raise Refusal(
            f"This machine has a route to {in_the_way}, which overlaps with the address ranges of a local cluster.",
            f"Free one of 16 parts of {NODES}, {PODS} and {SERVICES}: 'ip route' shows the routes.",
        )
    raise Refusal(f"There are {MOST_CLUSTERS} clusters already.", "Take one down: hack/cluster down --name NAME")


def node_name(number: int) -> str:
    """Return the name of a node, counted from 1."""
    return f"n{number}"
