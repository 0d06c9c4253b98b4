"""From one real GPU to command lines of vLLM: planned and rendered as by the operator, to be run without a cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from council_operator.plan.gpu import GpuPlan, Placement, plan_observed
from council_operator.plan.gpu.memory import USABLE_PERCENT
from council_operator.plan.observed import GpuObserved
from council_operator.plan.roster import find_roster
from council_operator.render import vllm
from deliberation.api.v1alpha1.vllm import VllmModel
from fakes.bodies import NOW_MS, SETTINGS, council, council_spec

Body = dict[str, Any]

VLLM_PYTHON = ["python3", "-m", "vllm.entrypoints.openai.api_server"]


@dataclass(frozen=True)
class Card:
    """A GPU as its driver describes it; `used_mib` is what others have of it now."""

    name: str
    memory_mib: int
    used_mib: int


@dataclass(frozen=True)
class Command:
    """One vLLM server to be started on the GPU.

    Attributes:
        model: the name under which it is asked.
        share_mib: the most of the GPU's memory that it may take.
    """

    model: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    share_mib: int


def read_cards(listing: str) -> list[Card]:
    """Return the GPUs of `nvidia-smi --query-gpu=name,memory.total,memory.used --format=csv,noheader,nounits`."""
    rows = [[part.strip() for part in line.rsplit(",", 2)] for line in listing.splitlines() if line.strip()]
    return [Card(name, int(total), int(used)) for name, total, used in rows]


def find_obstacle(cards: Sequence[Card], *, has_vllm: bool) -> str:
    """Return why several vLLM servers cannot be tried here; empty if they can."""
    if not cards:
        return "there is no NVIDIA GPU here: nvidia-smi lists none"
    if not has_vllm:
        return f"{cards[0].name} is here, but this Python has no vLLM: install the version of the chart's images.vllm"
    card, least = cards[0], 100 - USABLE_PERCENT
    if card.used_mib * 100 > card.memory_mib * least:
        return f"{card.name} is in use: {card.used_mib} of {card.memory_mib} MiB, more than the {least}% left free"
    return ""


def plan_servers(card: Card, servers: int) -> list[VllmModel]:
    """Return as many different models, of the same weights, as there are to be servers; each takes one slice."""
    fields: Body = {"model": "tiny", "gpu": {"sharing": "TimeSlicing"}}
    weights: Body = {"persistentVolumeClaim": {"claimName": "tests", "path": "tiny"}, "size": "64Mi"}
    lengths = [512 + 16 * index for index in range(servers)]
    assert card.memory_mib
    return [VllmModel.model_validate({**fields, "weights": weights, "maxModelLen": length}) for length in lengths]


def commands_on(card: Card, servers: int, slices: int, ports: Sequence[int], folder: str) -> list[Command]:
    """Return what starts the servers on one card that is divided into so many slices, in the order of their turns.

    `folder` takes the place of the container's volumes, and holds the weights in `tiny`.
    """
    models = [
        {"name": f"m{index}", "vllm": model.model_dump(by_alias=True, mode="json", exclude_none=True)}
        for index, model in enumerate(plan_servers(card, servers))
    ]
    body = council(council_spec(*models))
    observed = GpuObserved(nodes=(_node(card, slices),), councils=(body,), deployments=(), pods=())
    plan = plan_observed(observed, frozenset(), SETTINGS, NOW_MS)
    return [
        _command(given, model, body, ports[index], folder) for index, (given, model) in enumerate(_placed(plan, body))
    ]


def _placed(plan: GpuPlan, body: Body) -> list[tuple[Placement, VllmModel]]:
    roster = find_roster(body, SETTINGS)
    assert roster
    declared = {server.name: server.declaration for server in roster.servers}
    found = []
    for server, given in sorted(plan.verdicts.items()):
        model = declared[server.name]
        assert isinstance(given, Placement), given
        assert isinstance(model, VllmModel)
        found.append((given, model))
    return found


def _command(given: Placement, model: VllmModel, body: Body, port: int, folder: str) -> Command:
    rendered = vllm.render_deployment("m", model, "image", given, vllm.Running.YES, body, SETTINGS)
    (container,) = rendered["spec"]["template"]["spec"]["containers"]
    assert container["command"] == VLLM_PYTHON
    arguments = [_here(text, folder).replace("$$", "$") for text in container["args"]]
    arguments = [f"--port={port}" if text.startswith("--port=") else text for text in arguments]
    plain = {one["name"]: _here(one["value"], folder) for one in container["env"] if "value" in one}
    share = given.share.utilization_percent * given.pool.memory_mib // 100
    return Command(model.model, ("--host=127.0.0.1", *arguments), plain, share)


def _here(text: str, folder: str) -> str:
    """Return the text with a folder of this machine in place of the container's volumes."""
    return text.replace("/var/weights", folder).replace("/var/cache/council", f"{folder}/cache")


def _node(card: Card, slices: int) -> Body:
    """Return the card as a node's labels describe it once the device plugin has divided it."""
    labels = {
        "nvidia.com/gpu.product": card.name,
        "nvidia.com/gpu.memory": str(card.memory_mib),
        "nvidia.com/gpu.count": "1",
        "nvidia.com/gpu.replicas": str(slices),
        "nvidia.com/gpu.sharing-strategy": "time-slicing",
    }
    allocatable = {"nvidia.com/gpu": str(slices)}
    return {"metadata": {"name": "this-machine", "labels": labels}, "status": {"allocatable": allocatable}}
