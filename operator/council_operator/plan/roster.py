"""What a Council needs, read from its spec alone: seats, models, servers and the runner."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from council_operator.plan.settings import RenderSettings
from council_operator.plan.specs import InvalidSpecError, endpoint_ca_bundles, endpoint_keys, parse_council
from council_operator.render import labels, names, simulated
from council_operator.render.rayjob import Mounted, Outfit
from deliberation.api.v1alpha1.council import CouncilSpec, Member, RunnerMode
from deliberation.api.v1alpha1.council_models import CouncilModel, EndpointModel, SimulatedModel
from deliberation.api.v1alpha1.vllm import VllmModel
from deliberation.protocol.tasks import ModelAddress, SeatTask

Body = dict[str, Any]


_NOT_THE_SERVERS = {"idle_seconds", "replicas"}
"""Fields that make no other server: Councils share one and differ in them, and a change leaves what runs alone."""


@dataclass(frozen=True)
class Server:
    """One model server to run; several models of a Council share it when their declarations are equal."""

    name: str
    declaration: VllmModel | SimulatedModel
    image: str

    @property
    def replicas(self) -> int:
        """Return how many servers of this declaration its Council asks for."""
        return self.declaration.replicas if isinstance(self.declaration, VllmModel) else 1

    @property
    def object_names(self) -> tuple[str, ...]:
        """Return the names of its Deployment, its Services and its PodDisruptionBudget."""
        return (self.name, names.replicas_name(self.name)) if self.replicas > 1 else (self.name,)


@dataclass(frozen=True)
class Roster:
    """Everything that a Council's spec asks for.

    Attributes:
        models: where seats find each of `spec.models`, in its order, and after them the adapters that members use.
        servers: the servers that the operator runs for them, each once.
        runner: name of the RayJob whose actors are the seats; also the id under which it takes tasks. Where each
            Deliberation gets a runner of its own, only the places of the Council's queue go by that name.
        secrets: names of the users' Secrets that the runner mounts, sorted.
        ca_bundles: names of the users' ConfigMaps with certificate authorities that the runner mounts, sorted.
    """

    spec: CouncilSpec
    seats: tuple[SeatTask, ...]
    models: tuple[ModelAddress, ...]
    servers: tuple[Server, ...]
    server_of: dict[str, str]
    runner: str
    runner_image: str
    secrets: tuple[str, ...]
    ca_bundles: tuple[str, ...]

    @property
    def keeps_runner(self) -> bool:
        """Return whether a runner waits for questions, instead of each getting its own."""
        return self.spec.runner.mode is RunnerMode.WARM

    @property
    def outfit(self) -> Outfit:
        """Return what the pods of its runners are made of."""
        return Outfit(self.runner_image, Mounted(self.secrets, self.ca_bundles), self.spec.runner)

    @property
    def is_simulated(self) -> bool:
        """Return whether any model only pretends."""
        return any(model.simulated for model in self.models)

    def declaration_of(self, server: str) -> VllmModel | SimulatedModel:
        """Return what one of the servers is declared to be."""
        return next(one.declaration for one in self.servers if one.name == server)


def build_roster(council: Body, settings: RenderSettings) -> Roster:
    """Return what the Council needs.

    Raises:
        InvalidSpecError: the spec cannot be carried out.
    """
    spec = parse_council(council)
    namespace, uid = council["metadata"]["namespace"], council["metadata"]["uid"]
    servers = {model.name: server for model in spec.models if (server := _find_server(model, uid, settings))}
    secrets = tuple(sorted({reference.name for reference in endpoint_keys(spec)}))
    ca_bundles = tuple(sorted({reference.name for reference in endpoint_ca_bundles(spec)}))
    image = spec.runner.image or settings.images.runner
    kueue = labels.kueue_labels(council)
    return Roster(
        spec=spec,
        seats=_seats(spec),
        models=_addresses(spec, servers, namespace),
        servers=tuple({server.name: server for server in servers.values()}.values()),
        server_of={model: server.name for model, server in servers.items()},
        runner=names.runner_name({**_runner_declaration(spec, image, (secrets, ca_bundles), uid, settings), **kueue}),
        runner_image=image,
        secrets=secrets,
        ca_bundles=ca_bundles,
    )


def find_roster(council: Body, settings: RenderSettings) -> Roster | None:
    """Return what the Council needs, or None when its spec cannot be carried out."""
    try:
        return build_roster(council, settings)
    except InvalidSpecError:
        return None


def runner_name(council: Body, settings: RenderSettings) -> str:
    """Return the id of the Council's runner; empty when its spec cannot be carried out."""
    roster = find_roster(council, settings)
    return roster.runner if roster else ""


def _seats(spec: CouncilSpec) -> tuple[SeatTask, ...]:
    return tuple(
        SeatTask(
            id=f"{member.name}-{index}",
            member=member.name,
            role=member.role,
            model=_address_name(member),
            instructions=member.instructions or "",
            temperature_milli=member.sampling.temperature_milli,
            top_p_milli=member.sampling.top_p_milli,
            max_tokens=member.sampling.max_tokens,
            weight_milli=member.weight_milli,
        )
        for member in spec.members
        for index in range(member.seats)
    )


def _find_server(model: CouncilModel, council_uid: str, settings: RenderSettings) -> Server | None:
    """Return the server that the operator runs for a model; None for an endpoint."""
    declaration = model.vllm or model.simulated
    if declaration is None:
        return None
    image = _vllm_image(declaration, settings) if isinstance(declaration, VllmModel) else settings.images.operator
    content = {
        "kind": type(declaration).__name__,
        "declaration": declaration.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_THE_SERVERS),
        "image": image,
        **_revision(settings, is_ours=image == settings.images.operator),
        "council": council_uid if model.dedicated else "",
    }
    return Server(names.server_name(content), declaration, image)


def _revision(settings: RenderSettings, *, is_ours: bool) -> Body:
    """Return what tells builds of one of our own images apart that have the same name; nothing for others' images."""
    return {"revision": settings.images.revision} if is_ours and settings.images.revision else {}


def _vllm_image(model: VllmModel, settings: RenderSettings) -> str:
    """Return the image of a vLLM server: the declared one, or the setting for CPU or GPU."""
    return model.image or (settings.images.vllm if model.gpu else settings.images.vllm_cpu)


def _addresses(spec: CouncilSpec, servers: dict[str, Server], namespace: str) -> tuple[ModelAddress, ...]:
    """Return where each model is found, and each adapter that a member uses: the same server under another name."""
    models = {model.name: _address(model, servers.get(model.name), namespace) for model in spec.models}
    adapters = {
        _address_name(member): models[member.model_ref].model_copy(
            update={"name": _address_name(member), "model_name": member.adapter}
        )
        for member in spec.members
        if member.adapter
    }
    return (*models.values(), *adapters.values())


def _address_name(member: Member) -> str:
    """Return what a task calls a member's model; a slash is in no name of a model."""
    return f"{member.model_ref}/{member.adapter}" if member.adapter else member.model_ref


def model_of(address: ModelAddress) -> str:
    """Return the name of the model in the spec that an address belongs to."""
    return address.name.partition("/")[0]


def _address(model: CouncilModel, server: Server | None, namespace: str) -> ModelAddress:
    """Return where seats find a model. A server of ours goes by its display name, wherever its weights are."""
    if model.endpoint:
        return _endpoint_address(model.name, model.endpoint)
    return ModelAddress(
        name=model.name,
        base_url=names.server_url(server.name if server else "", namespace),
        model_name=model.vllm.model if model.vllm else simulated.MODEL_NAME,
        api_key_file=f"{names.MODELS_SECRET}/{names.MODELS_API_KEY}",
        replicas_url=_replicas_url(server, namespace),
        tells_load=True,
        revision=model.vllm.revision if model.vllm else None,
        simulated=model.simulated is not None,
    )


def _replicas_url(server: Server | None, namespace: str) -> str | None:
    """Return where all replicas of a server are found, if there are several to choose among."""
    if server is None or server.replicas == 1:
        return None
    return names.server_url(names.replicas_name(server.name), namespace)


def _endpoint_address(name: str, endpoint: EndpointModel) -> ModelAddress:
    key, ca_bundle = endpoint.api_key_secret_ref, endpoint.ca_bundle_ref
    return ModelAddress(
        name=name,
        base_url=endpoint.url.rstrip("/"),
        model_name=endpoint.model_name,
        api_key_file=f"{key.name}/{key.key}" if key else None,
        ca_bundle_file=f"{ca_bundle.name}/{ca_bundle.key}" if ca_bundle else None,
    )


def _tls(settings: RenderSettings) -> Iterator[str]:
    """Yield what a runner must be started with to trust the bus; nothing where the system's authorities do."""
    if settings.bus_ca or settings.bus_server_name:
        yield from ("ca" if settings.bus_ca else "", settings.bus_server_name)


def _runner_declaration(
    spec: CouncilSpec, image: str, mounted: tuple[tuple[str, ...], ...], council_uid: str, settings: RenderSettings
) -> Body:
    secrets, ca_bundles = mounted
    return {
        "image": image,
        **_revision(settings, is_ours=image == settings.images.runner),
        "maxConcurrentDeliberations": spec.runner.max_concurrent_deliberations,
        "workers": [spec.runner.workers.min, spec.runner.workers.max],
        "secrets": list(secrets),
        **({"caBundles": list(ca_bundles)} if ca_bundles else {}),
        "bus": [settings.bus_url, settings.bus_user, *_tls(settings)],
        "ray": settings.ray_version,
        "resources": asdict(settings.runner),
        **({} if spec.runner.mode is RunnerMode.WARM else {"mode": spec.runner.mode.value}),
        "council": council_uid if spec.runner.dedicated or spec.runner.mode is not RunnerMode.WARM else "",
    }
