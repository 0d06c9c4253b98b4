"""What a Council needs, read from its spec alone; and the Task that a question becomes."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from council_operator.plan.settings import RenderSettings
from council_operator.render import names
from deliberation.api.v1alpha1.council import CouncilModel, CouncilSpec, EndpointModel, KeyReference, VllmModel
from deliberation.api.v1alpha1.deliberation import (
    DEFAULT_CRITERIA,
    AnswerType,
    DeliberationSpec,
    StrategyType,
)
from deliberation.protocol.messages import ModelAddress, ResolvedStrategy, SeatTask, Task

Body = dict[str, Any]

SIMULATED_MODEL_NAME = "simulated"


class InvalidSpecError(ValueError):
    """A spec that cannot be carried out though the schema lets it through; the message names field and way out."""


@dataclass(frozen=True)
class Server:
    """One model server to run; several models of a Council share it when their declarations are equal."""

    name: str
    declaration: CouncilModel


@dataclass(frozen=True)
class Roster:
    """Everything that a Council's spec asks for.

    Attributes:
        models: where seats find each of `spec.models`, in its order.
        servers: the servers that the operator runs for them, each once.
        runner: name of the RayJob whose actors are the seats; also the id under which it takes tasks.
        secrets: names of the users' Secrets that the runner mounts, sorted.
    """

    spec: CouncilSpec
    seats: tuple[SeatTask, ...]
    models: tuple[ModelAddress, ...]
    servers: tuple[Server, ...]
    server_of: dict[str, str]
    runner: str
    runner_image: str
    secrets: tuple[str, ...]

    @property
    def is_simulated(self) -> bool:
        """Return whether any model only pretends."""
        return any(model.simulated for model in self.models)


def build_roster(council: Body, settings: RenderSettings) -> Roster:
    """Return what the Council needs.

    Raises:
        InvalidSpecError: the spec cannot be carried out.
    """
    spec = _parse_council(council)
    _refuse_own_secrets(spec)
    _refuse_dedicated_endpoints(spec)
    namespace, uid = council["metadata"]["namespace"], council["metadata"]["uid"]
    declared = [(model, _server_name(model, uid, settings)) for model in spec.models]
    secrets = tuple(sorted({reference.name for reference in _endpoint_keys(spec)}))
    image = spec.runner.image or settings.images.runner
    return Roster(
        spec=spec,
        seats=_seats(spec),
        models=tuple(_address(model, name, namespace) for model, name in declared),
        servers=tuple(Server(name, model) for name, model in {name: model for model, name in declared if name}.items()),
        server_of={model.name: name for model, name in declared if name},
        runner=names.runner_name(_runner_declaration(spec, image, secrets, uid, settings)),
        runner_image=image,
        secrets=secrets,
    )


def find_roster(council: Body, settings: RenderSettings) -> Roster | None:
    """Return what the Council needs, or None when its spec cannot be carried out."""
    try:
        return build_roster(council, settings)
    except InvalidSpecError:
        return None


def council_models(council: Body, settings: RenderSettings) -> tuple[ModelAddress, ...]:
    """Return where the Council's models are to be found; nothing when its spec cannot be carried out."""
    roster = find_roster(council, settings)
    return roster.models if roster else ()


def runner_name(council: Body, settings: RenderSettings) -> str:
    """Return the id of the Council's runner; empty when its spec cannot be carried out."""
    roster = find_roster(council, settings)
    return roster.runner if roster else ""


def build_task(deliberation: Body, council: Body, now_ms: int, settings: RenderSettings) -> Task:
    """Return the self-contained task of a Deliberation that is admitted now (milliseconds since the epoch).

    Raises:
        InvalidSpecError: the Deliberation or its Council cannot be carried out.
    """
    spec = _parse_deliberation(deliberation)
    roster = build_roster(council, settings)
    metadata = deliberation["metadata"]
    seats = len(roster.seats)
    quorum = spec.quorum if spec.quorum is not None else seats // 2 + 1
    if quorum > seats:
        raise InvalidSpecError(
            f"spec.quorum is {quorum}, but Council {council['metadata']['name']} has {seats} seats: "
            f"add seats to the Council, or create another Deliberation with a quorum of at most {seats}"
        )
    return Task(
        namespace=metadata["namespace"],
        deliberation_uid=metadata["uid"],
        deliberation_name=metadata["name"],
        council_uid=council["metadata"]["uid"],
        council_name=council["metadata"]["name"],
        question=spec.question,
        context=spec.context,
        requirements=spec.requirements,
        criteria=spec.criteria or DEFAULT_CRITERIA,
        answer=spec.answer,
        strategy=_resolve(spec),
        seats=roster.seats,
        models=roster.models,
        quorum=quorum,
        top_k=spec.top_k,
        seed=spec.seed,
        started_at_ms=now_ms,
        timeout_ms=spec.timeout_seconds * 1000,
    )


def _parse_council(council: Body) -> CouncilSpec:
    try:
        spec = CouncilSpec.model_validate(council["spec"])
    except ValidationError as error:
        raise InvalidSpecError(_explain(error)) from None
    known = {model.name for model in spec.models}
    for member in spec.members:
        if member.model_ref not in known:
            raise InvalidSpecError(
                f"spec.members[{member.name}].modelRef is {member.model_ref}: no such model in spec.models"
            )
    return spec


def _parse_deliberation(deliberation: Body) -> DeliberationSpec:
    try:
        return DeliberationSpec.model_validate(deliberation["spec"])
    except ValidationError as error:
        raise InvalidSpecError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """Return where and why a spec is refused, without the values: they may be long, or somebody's text."""
    faults = error.errors(include_input=False, include_context=False, include_url=False)
    where = "; ".join(f"{'.'.join(map(str, ('spec', *fault['loc'])))}: {fault['msg']}" for fault in faults[:5])
    return f"{where}. Do the installed CRDs belong to this operator's version?"


def _endpoint_keys(spec: CouncilSpec) -> list[KeyReference]:
    """Return the keys of endpoints: the runner mounts them, because the seats make the calls."""
    return [
        model.endpoint.api_key_secret_ref
        for model in spec.models
        if model.endpoint and model.endpoint.api_key_secret_ref
    ]


def _hub_tokens(spec: CouncilSpec) -> list[KeyReference]:
    """Return the tokens with which model servers download weights."""
    hubs = [model.vllm.weights.hub for model in spec.models if model.vllm and model.vllm.weights.hub]
    return [hub.token_secret_ref for hub in hubs if hub.token_secret_ref]


def _refuse_own_secrets(spec: CouncilSpec) -> None:
    """Refuse to send our own credentials to a server that a user chose.

    Raises:
        InvalidSpecError: a model names one of the operator's Secrets.
    """
    for reference in (*_endpoint_keys(spec), *_hub_tokens(spec)):
        if reference.name in names.OWN_SECRETS:
            raise InvalidSpecError(
                f"spec.models names Secret {reference.name}, which holds the operator's own credentials: "
                "put your key into a Secret of your own"
            )


def _refuse_dedicated_endpoints(spec: CouncilSpec) -> None:
    """Refuse a wish that could only be ignored: the operator does not run endpoints.

    Raises:
        InvalidSpecError: a model is both.
    """
    for model in spec.models:
        if model.endpoint and model.dedicated:
            raise InvalidSpecError(
                f"spec.models[{model.name}].dedicated is true, but an endpoint is somebody else's server: remove dedicated"
            )


def _seats(spec: CouncilSpec) -> tuple[SeatTask, ...]:
    return tuple(
        SeatTask(
            id=f"{member.name}-{index}",
            member=member.name,
            role=member.role,
            model=member.model_ref,
            instructions=member.instructions or "",
            temperature_milli=member.sampling.temperature_milli,
            top_p_milli=member.sampling.top_p_milli,
            max_tokens=member.sampling.max_tokens,
            weight_milli=member.weight_milli,
        )
        for member in spec.members
        for index in range(member.seats)
    )


def _server_name(model: CouncilModel, council_uid: str, settings: RenderSettings) -> str:
    """Return the name of the server that the operator runs for a model; empty for an endpoint."""
    if model.vllm:
        declaration = {"vllm": model.vllm.model_dump(mode="json"), "image": vllm_image(model.vllm, settings)}
    elif model.simulated:
        declaration = {"simulated": model.simulated.model_dump(mode="json"), "image": settings.images.operator}
    else:
        return ""
    return names.server_name({**declaration, "council": council_uid if model.dedicated else ""})


def vllm_image(model: VllmModel, settings: RenderSettings) -> str:
    """Return the image of a vLLM server: the declared one, or the setting for CPU or GPU."""
    return model.image or (settings.images.vllm if model.gpu else settings.images.vllm_cpu)


def _address(model: CouncilModel, server: str, namespace: str) -> ModelAddress:
    if model.endpoint:
        return _endpoint_address(model.name, model.endpoint)
    return ModelAddress(
        name=model.name,
        base_url=names.server_url(server, namespace),
        model_name=model.vllm.model if model.vllm else SIMULATED_MODEL_NAME,
        api_key_file=f"{names.MODELS_SECRET}/{names.MODELS_API_KEY}",
        revision=model.vllm.revision if model.vllm else None,
        simulated=model.simulated is not None,
    )


def _endpoint_address(name: str, endpoint: EndpointModel) -> ModelAddress:
    key = endpoint.api_key_secret_ref
    return ModelAddress(
        name=name,
        base_url=endpoint.url.rstrip("/"),
        model_name=endpoint.model_name,
        api_key_file=f"{key.name}/{key.key}" if key else None,
    )


def _runner_declaration(
    spec: CouncilSpec, image: str, secrets: tuple[str, ...], council_uid: str, settings: RenderSettings
) -> Body:
    return {
        "image": image,
        "maxConcurrentDeliberations": spec.runner.max_concurrent_deliberations,
        "secrets": list(secrets),
        "bus": [settings.bus_url, settings.bus_user],
        "ray": settings.ray_version,
        "council": council_uid if spec.runner.dedicated else "",
    }


def _resolve(spec: DeliberationSpec) -> ResolvedStrategy:
    """Return the strategy to run: votes count for closed answers, texts need judges."""
    if spec.strategy.type is StrategyType.AUTO:
        return ResolvedStrategy.PANEL if spec.answer.type is AnswerType.TEXT else ResolvedStrategy.VOTE
    return ResolvedStrategy(spec.strategy.type.value)
