"""The network of a cluster: a switch in a namespace of its own joins the nodes and, by one link, the host."""

import json
from ipaddress import IPv4Network
from pathlib import Path

from clusters import commands
from clusters.addresses import AddressPlan, node_name
from clusters.processes import Process

STEP = "making the network"


def host_routes() -> list[IPv4Network]:
    """Return the destinations of this machine's IPv4 routes, without the default route."""
    routes = json.loads(
        commands.run(["ip", "-json", "-4", "route", "show", "table", "all"], step="reading the routes") or "[]"
    )
    return [IPv4Network(route["dst"]) for route in routes if route["dst"] != "default"]


def switch_lines() -> list[str]:
    """Return what `ip -batch` makes in the namespace of the switch (pure)."""
    return ["link set lo up", "link add switch type bridge", "link set switch up"]


def host_lines(plan: AddressPlan, nodes: int, switch: int) -> list[str]:
    """Return what `ip -batch` makes on the host: one link, whose other end the process `switch` holds (pure)."""
    routes = [
        f"route add {plan.pods_of(number)} via {plan.node(number)} dev {plan.link}" for number in range(1, nodes + 1)
    ]
    return [
        f"link add {plan.link} type veth peer name host netns {switch}",
        f"addr add {plan.host}/{plan.nodes.prefixlen} dev {plan.link}",
        f"link set {plan.link} up",
        *routes,
        f"route add {plan.services} via {plan.node(1)} dev {plan.link}",
    ]


def node_lines(plan: AddressPlan, number: int, nodes: int, switch: int) -> list[str]:
    """Return what `ip -batch` makes in the namespace of a node (pure)."""
    others = [other for other in range(1, nodes + 1) if other != number]
    return [
        "link set lo up",
        f"link add eth0 type veth peer name {node_name(number)} netns {switch}",
        f"addr add {plan.node(number)}/{plan.nodes.prefixlen} dev eth0",
        "link set eth0 up",
        f"route add default via {plan.host}",
        *[f"route add {plan.pods_of(other)} via {plan.node(other)}" for other in others],
    ]


def plug_lines(names: list[str]) -> list[str]:
    """Return what `ip -batch` makes in the namespace of the switch once these links end there (pure)."""
    return [line for name in names for line in (f"link set {name} master switch", f"link set {name} up")]


def connect(plan: AddressPlan, switch: Process, nodes: list[Process]) -> None:
    """Make every link and route; the namespaces are those of the given processes.

    Raises:
        StepFailed: the kernel refused one.
    """
    _batch(switch_lines(), switch)
    _batch(host_lines(plan, len(nodes), switch.pid), None)
    for number, node in enumerate(nodes, start=1):
        _batch(node_lines(plan, number, len(nodes), switch.pid), node)
        # The second setting is there only where the kernel lets iptables see bridged traffic.
        settings = ["net.ipv4.ip_forward=1", "net.bridge.bridge-nf-call-iptables=1"]
        commands.run([*_inside(node), "sysctl", "--quiet", "--ignore", "--write", *settings], step=STEP)
    _batch(plug_lines(["host", *(node_name(number) for number in range(1, len(nodes) + 1))]), switch)


def disconnect(plan: AddressPlan) -> None:
    """Remove the host's link, and with it its address and routes; the rest went with the processes that held it."""
    if Path("/sys/class/net", plan.link).exists():
        commands.run(["ip", "link", "delete", plan.link], step="removing the network")


def _batch(lines: list[str], where: Process | None) -> None:
    prefix = _inside(where) if where else []
    commands.run([*prefix, "ip", "-batch", "-"], step=STEP, text="\n".join(lines) + "\n")


def _inside(process: Process) -> list[str]:
    return ["nsenter", f"--net=/proc/{process.pid}/ns/net"]
