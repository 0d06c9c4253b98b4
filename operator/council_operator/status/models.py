"""What is known of each model of a Council, and what to do about one that does not answer."""

from typing import Any

from council_operator.plan import council as council_plan
from council_operator.plan import health, idle, succession
from council_operator.plan.conditions import find_condition
from council_operator.plan.gpu import GpuPlan, Refusal, ServerId
from council_operator.plan.health import Trouble
from council_operator.plan.last_words import is_about_flags
from council_operator.plan.observed import CouncilObserved
from council_operator.plan.roster import Roster, model_of
from council_operator.render import vllm
from council_operator.status.conditions import Finding, shorten
from council_operator.status.gpu import summarise_gpu
from deliberation.api.v1alpha1.council_models import SimulatedModel
from deliberation.api.v1alpha1.council_status import ModelStatus, ReplicasStatus
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.api.v1alpha1.vllm import VllmModel
from deliberation.protocol.health import ProbeResult
from deliberation.protocol.tasks import ModelAddress

Body = dict[str, Any]

TYPE = "ModelsAvailable"
MAX_MODEL_MESSAGE = 490

BEARABLE = frozenset({Reason.ASLEEP, Reason.MOVING, Reason.NOT_ASKED})
"""What is to be said of models that keep nobody from asking the Council."""

Fault = tuple[Reason, str]


def summarise_models(
    observed: CouncilObserved, roster: Roster, gpus: GpuPlan
) -> tuple[tuple[ModelStatus, ...], Finding]:
    """Return the state of each model in the spec's order, and the condition over all of them."""
    faults: dict[str, Fault | None] = {}
    for address in roster.models:
        name = model_of(address)
        faults[name] = faults.get(name) or _find_fault(address, observed, roster, gpus)
    predecessors = succession.find_predecessors(observed, roster, gpus)
    moving = {name: predecessors[name] for name, fault in faults.items() if fault and name in predecessors}
    faults |= {name: _move(entry, faults[name]) for name, entry in moving.items()}
    declared = [address for address in roster.models if address.name in faults]
    statuses = tuple(
        _status_of_former(moving[model.name], faults[model.name])
        if model.name in moving
        else _status(model, faults[model.name], observed, roster, gpus)
        for model in declared
    )
    return statuses, _condition(faults)


def _condition(faults: dict[str, Fault | None]) -> Finding:
    soft = {name: fault for name, fault in faults.items() if fault and fault[0] in BEARABLE}
    broken = {name: fault for name, fault in faults.items() if fault and name not in soft}
    if not broken and soft:
        return _bearable(soft)
    if not broken:
        return Finding(TYPE, status=True, reason=Reason.READY, message=f"{len(faults)} of {len(faults)} models answer")
    reasons = [reason for reason, _ in broken.values()]
    first_reason = next((reason for reason in reasons if reason is not Reason.AWAITING_TURN), Reason.AWAITING_TURN)
    message = "; ".join(f"model {name}: {text}" for name, (_, text) in broken.items())
    return Finding(TYPE, status=False, reason=first_reason, message=message)


def _bearable(soft: dict[str, Fault]) -> Finding:
    """Return the condition while all models answer, or will when they are asked; sleepers must be woken first."""
    asleep = [name for name, (reason, _) in soft.items() if reason is Reason.ASLEEP]
    if asleep:
        text = f"{', '.join(asleep)} sleep for want of questions; the next Deliberation wakes them"
        return Finding(TYPE, status=True, reason=Reason.ASLEEP, message=text)
    message = "; ".join(f"model {name}: {text}" for name, (_, text) in soft.items())
    is_moving = any(reason is Reason.MOVING for reason, _ in soft.values())
    return Finding(TYPE, status=True, reason=Reason.MOVING if is_moving else Reason.NOT_ASKED, message=message)


def _move(former: Body, fault: Fault | None) -> Fault:
    """Return what is to be said of a model whose former server answers until the declared one does."""
    text = fault[1] if fault else ""
    return Reason.MOVING, f"Deployment {former['deployment']} answers until the new server does. {text}"


def _status_of_former(former: Body, fault: Fault | None) -> ModelStatus:
    """Return the status of a model as its former server has it."""
    message = shorten(fault[1], MAX_MODEL_MESSAGE) if fault else None
    return ModelStatus.model_validate({**former, "ready": True, "message": message})


def _status(
    model: ModelAddress, fault: Fault | None, observed: CouncilObserved, roster: Roster, gpus: GpuPlan
) -> ModelStatus:
    server = roster.server_of.get(model.name)
    declared = next((one.replicas for one in roster.servers if one.name == server), 1)
    replicas = _count_replicas(server, observed, declared) if server else None
    lacking = _explain_lack(server, replicas, observed) if server and replicas and replicas.is_short else None
    return ModelStatus(
        name=model.name,
        ready=fault is None,
        simulated=model.simulated,
        endpoint=model.base_url,
        model_name=model.model_name,
        revision=model.revision,
        deployment=server,
        adapters=_adapters(roster.declaration_of(server)) if server else (),
        replicas=replicas,
        gpu=summarise_gpu(server, observed, gpus) if server else None,
        message=shorten(fault[1], MAX_MODEL_MESSAGE) if fault else lacking,
    )


def _explain_lack(server: str, replicas: ReplicasStatus, observed: CouncilObserved) -> str:
    """Return how many replicas answer, and what keeps another one from it, as far as its pod tells."""
    count = f"{replicas.ready} of {replicas.wanted} replicas answer"
    trouble = health.find_trouble(observed.pods, server)
    told = _read_trouble(trouble, observed.body["metadata"]["namespace"])[1] if trouble else ""
    return shorten(f"{count}; {told}", MAX_MODEL_MESSAGE) if told else count


def _adapters(declaration: VllmModel | SimulatedModel) -> tuple[str, ...]:
    return tuple(one.name for one in declaration.adapters) if isinstance(declaration, VllmModel) else ()


def _count_replicas(server: str, observed: CouncilObserved, declared: int) -> ReplicasStatus:
    """Return how many answer of those that the Council, or one that shares the server, wants; none sleeping."""
    deployment = observed.deployments.get(server, {})
    running = deployment.get("spec", {}).get("replicas", 0)
    wanted = max(running, declared) if running else 0
    return ReplicasStatus(wanted=wanted, ready=deployment.get("status", {}).get("readyReplicas", 0))


def _find_fault(model: ModelAddress, observed: CouncilObserved, roster: Roster, gpus: GpuPlan) -> Fault | None:
    """Return why a model is not available: its server first, then what the runner found when it asked."""
    server = roster.server_of.get(model_of(model))
    if server is not None and idle.is_asleep(observed.deployments.get(server)):
        wanted = _find_gpu_wait(server, observed, gpus) if _is_refused(server, observed, gpus) else None
        return wanted or (Reason.ASLEEP, "asleep for want of questions; the next Deliberation wakes it")
    if server is not None and not health.is_serving(observed.deployments.get(server)):
        waits = _find_gpu_wait(server, observed, gpus)
        return waits or _find_server_fault(server, observed, roster)
    probe = next((probe for probe in observed.probes or () if probe.name == model.name), None)
    if probe is not None and probe.reason:
        return _read_probe(model, probe, observed.body["metadata"]["namespace"])
    return _explain_silence(model, observed, roster) if server is None and probe is None else None


def _explain_silence(model: ModelAddress, observed: CouncilObserved, roster: Roster) -> Fault:
    """Return why nobody knows whether an endpoint answers."""
    if not roster.keeps_runner:
        return Reason.NOT_ASKED, f"{model.base_url} is not asked before a Deliberation's own runner does that"
    if council_plan.is_runner_asleep(observed, roster):
        return Reason.ASLEEP, "not asked while the runner sleeps; the next Deliberation wakes it"
    return Reason.PENDING, f"{model.base_url} has not been asked yet: the runner does that as soon as it runs"


def _is_refused(server: str, observed: CouncilObserved, gpus: GpuPlan) -> bool:
    """Return whether a server is to run, and no GPU is found for it."""
    return isinstance(gpus.verdicts.get(ServerId(observed.body["metadata"]["namespace"], server)), Refusal)


def _find_gpu_wait(server: str, observed: CouncilObserved, gpus: GpuPlan) -> Fault | None:
    """Return why a server gets no GPU, or not yet."""
    name = ServerId(observed.body["metadata"]["namespace"], server)
    given = gpus.verdicts.get(name)
    if isinstance(given, Refusal):
        return given.reason, given.message
    if given is None or (name in gpus.may_start and not _is_held_back(observed.deployments.get(server))):
        return None
    first = gpus.behind.get(name)
    whom = f"behind {first.name} in namespace {first.namespace}" if first else "next"
    text = f"Deployment {server} waits for its turn, {whom}: servers on shared GPUs start one after the other"
    return Reason.AWAITING_TURN, text


def _is_held_back(deployment: Body | None) -> bool:
    """Return whether a Deployment is still without pods: its turn may have come since the plan was carried out."""
    return deployment is not None and deployment["spec"].get("replicas") == 0


def _find_server_fault(server: str, observed: CouncilObserved, roster: Roster) -> Fault:
    deployment = observed.deployments.get(server)
    if server in observed.refusals:
        said = shorten(observed.refusals[server], 250)
        return Reason.MODEL_UNAVAILABLE, f"the API server refuses Deployment {server}: {said}; correct the model's spec"
    if deployment is None:
        return Reason.MODEL_STARTING, f"Deployment {server} is being created"
    trouble = health.find_trouble(observed.pods, server)
    if trouble:
        return _read_trouble(trouble, observed.body["metadata"]["namespace"])
    refused = _find_refusal(deployment)
    if refused:
        return Reason.MODEL_UNAVAILABLE, f"Deployment {server} gets no pod: {refused}"
    return Reason.MODEL_STARTING, _describe_start(deployment, observed, roster.declaration_of(server))


def _describe_start(deployment: Body, observed: CouncilObserved, declaration: VllmModel | SimulatedModel) -> str:
    """Return how far a server's start has come, as far as its pods tell, and how long it may take."""
    server, namespace = deployment["metadata"]["name"], observed.body["metadata"]["namespace"]
    pod = health.find_pod(observed.pods, server)
    if pod is None:
        return f"Deployment {server} starts{_since(deployment)}"
    name = pod["metadata"]["name"]
    started = health.find_start(pod)
    leaving = health.find_leaving(observed.pods, server)
    if started is None and leaving:
        return f"Pod {name} waits until Pod {leaving['metadata']['name']} has answered its last calls"
    if started is None:
        return f"Pod {name} waits for its image and its volumes{_since(deployment)}"
    if isinstance(declaration, SimulatedModel):
        return f"Pod {name} starts, since {started}"
    loads = "loads its weights" if declaration.weights.is_mounted else "downloads its weights and loads them"
    patience = f"it has {vllm.START_SECONDS // 60} minutes for that"
    return f"vLLM in Pod {name} {loads}, since {started}; {patience}, and kubectl -n {namespace} logs {name} tells more"


def _since(deployment: Body) -> str:
    """Return since when a Deployment has had no pod that answers, as far as it says so."""
    since = find_condition(deployment, "Available").get("lastTransitionTime")
    return f", since {since}" if since else ""


def _find_refusal(deployment: Body) -> str | None:
    """Return why the Deployment may create no pod: a quota, or an admission rule."""
    failure = find_condition(deployment, "ReplicaFailure")
    return str(failure.get("message", "see kubectl describe")) if failure.get("status") == "True" else None


_ADVICE = {
    "ImagePullBackOff": "check the image's name and whether the node may pull it",
    "ErrImagePull": "check the image's name and whether the node may pull it",
    "InvalidImageName": "correct the image in the spec",
    health.UNSCHEDULABLE: "free or add a node with what the pod asks for",
    health.OUT_OF_MEMORY: "give the node more memory, or take a smaller model or maxModelLen",
}


def _read_trouble(trouble: Trouble, namespace: str) -> Fault:
    """Return the trouble of a pod as a fault with the next thing to do."""
    missing_secret = trouble.reason == health.CONFIG_ERROR and "secret" in trouble.message.lower()
    reason = Reason.SECRET_MISSING if missing_secret else Reason.MODEL_UNAVAILABLE
    what = f": {shorten(trouble.message, 330)}" if trouble.message else ""
    advice = "create the Secret; the pod then starts by itself" if missing_secret else _advise(trouble, namespace)
    return reason, f"Pod {trouble.pod}: {trouble.reason}{what}; {advice}"


def _advise(trouble: Trouble, namespace: str) -> str:
    """Return the next thing to do about a pod's trouble."""
    if trouble.last_words and is_about_flags(trouble.last_words):
        return "correct the model's engineArgs; if it is none of these, its image needs a newer vLLM"
    known = _ADVICE.get(trouble.reason) or _ADVICE.get(trouble.last_end or "")
    return known or f"see kubectl -n {namespace} logs {trouble.pod} --previous"


def _read_probe(model: ModelAddress, probe: ProbeResult, namespace: str) -> Fault:
    """Return what the runner found as a fault; a reason of a newer runner that we do not know is shown in the text."""
    known = {reason.value for reason in Reason}
    reason = Reason(probe.reason) if probe.reason in known else Reason.MODEL_UNAVAILABLE
    advice = {
        Reason.SECRET_MISSING: f"create key {_key(model)} in namespace {namespace}",
        Reason.UNAUTHORIZED: f"put a valid key into {_key(model)} in namespace {namespace}",
        Reason.CA_BUNDLE_MISSING: f"put a certificate in PEM into {_bundle(model)} in namespace {namespace}",
        Reason.CERTIFICATE_UNTRUSTED: f"put the certificate of the authority that signed it into {_bundle(model)}",
        Reason.ENDPOINT_UNREACHABLE: "check the url, and whether NetworkPolicies let the runner's pod reach it",
        Reason.MODEL_NOT_SERVED: f"check that the server serves {model.model_name}",
    }.get(reason)
    found = probe.message or str(probe.reason)
    return reason, f"{found}; {advice}" if advice else found


def _key(model: ModelAddress) -> str:
    secret, _, key = (model.api_key_file or "").partition("/")
    return f"{key} of Secret {secret}" if secret else "apiKeySecretRef"


def _bundle(model: ModelAddress) -> str:
    config_map, _, key = (model.ca_bundle_file or "").partition("/")
    return f"key {key} of ConfigMap {config_map}" if config_map else "a ConfigMap, and name it in endpoint.caBundleRef"
