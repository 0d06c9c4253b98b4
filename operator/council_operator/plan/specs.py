"""Specs as typed values, and the refusals that the schema cannot make."""

from typing import Any

from pydantic import ValidationError

from council_operator.plan.engine_args import find_owned
from council_operator.render import labels, names, pod_template
from deliberation.api.v1alpha1.answer_schema import find_schema_fault
from deliberation.api.v1alpha1.base import KeyReference
from deliberation.api.v1alpha1.council import CouncilSpec
from deliberation.api.v1alpha1.deliberation import DeliberationSpec

Body = dict[str, Any]


class InvalidSpecError(ValueError):
    """A spec that cannot be carried out though the schema lets it through; the message names field and way out."""


def parse_council(council: Body) -> CouncilSpec:
    """Return the Council's spec.

    Raises:
        InvalidSpecError: the spec cannot be carried out.
    """
    try:
        spec = CouncilSpec.model_validate(council["spec"])
    except ValidationError as error:
        raise InvalidSpecError(_explain(error)) from None
    known = {model.name for model in spec.models}
    for member in spec.members:
        if member.model_ref not in known:
            raise InvalidSpecError(
                f"spec.members[{member.name}].modelRef is {member.model_ref}: spec.models has no model of that name"
            )
    _refuse_own_secrets(spec)
    _refuse_what_servers_are_not_to_be_told(spec)
    _refuse_dedicated_endpoints(spec)
    _refuse_two_who_suspend(spec, council)
    return spec


def parse_deliberation(deliberation: Body) -> DeliberationSpec:
    """Return the Deliberation's spec.

    Raises:
        InvalidSpecError: the spec cannot be carried out.
    """
    try:
        spec = DeliberationSpec.model_validate(deliberation["spec"])
    except ValidationError as error:
        raise InvalidSpecError(_explain(error)) from None
    fault = find_schema_fault(spec.answer.json_schema) if spec.answer.json_schema is not None else None
    if fault:
        raise InvalidSpecError(f"spec.answer.{fault}")
    return spec


def endpoint_keys(spec: CouncilSpec) -> list[KeyReference]:
    """Return the keys of endpoints: the runner mounts them, because the seats make the calls."""
    return [
        model.endpoint.api_key_secret_ref
        for model in spec.models
        if model.endpoint and model.endpoint.api_key_secret_ref
    ]


def endpoint_ca_bundles(spec: CouncilSpec) -> list[KeyReference]:
    """Return where endpoints' certificate authorities lie: the runner mounts them like the keys."""
    return [model.endpoint.ca_bundle_ref for model in spec.models if model.endpoint and model.endpoint.ca_bundle_ref]


def _hub_tokens(spec: CouncilSpec) -> list[KeyReference]:
    """Return the tokens with which model servers download weights."""
    hubs = [model.vllm.weights.hub for model in spec.models if model.vllm and model.vllm.weights.hub]
    return [hub.token_secret_ref for hub in hubs if hub.token_secret_ref]


def _explain(error: ValidationError) -> str:
    """Return where and why a spec is refused, without the values: they may be long, or somebody's text."""
    faults = error.errors(include_input=False, include_context=False, include_url=False)
    where = "; ".join(f"{'.'.join(map(str, ('spec', *fault['loc'])))}: {fault['msg']}" for fault in faults[:5])
    return f"{where}. Do the installed CRDs belong to this operator's version?"


def _refuse_own_secrets(spec: CouncilSpec) -> None:
    """Refuse to send our own credentials to a server that a user chose.

    Raises:
        InvalidSpecError: a model names one of the operator's Secrets.
    """
    for reference in (*endpoint_keys(spec), *_hub_tokens(spec)):
        if reference.name in names.OWN_SECRETS:
            raise InvalidSpecError(
                f"spec.models names Secret {reference.name}, which holds the operator's own credentials: "
                "put your key into a Secret of your own"
            )


def _refuse_what_servers_are_not_to_be_told(spec: CouncilSpec) -> None:
    """Refuse flags and pod templates that would undo what the operator relies on.

    Raises:
        InvalidSpecError: a vLLM model has such.
    """
    for name, model in ((model.name, model.vllm) for model in spec.models if model.vllm):
        flag = find_owned(model.engine_args)
        if flag:
            raise InvalidSpecError(
                f"spec.models[{name}].vllm.engineArgs gives {flag}, which the operator sets itself: remove it"
            )
        fault = pod_template.find_fault(model.pod_template)
        if fault:
            raise InvalidSpecError(f"spec.models[{name}].vllm.podTemplate {fault}")


def _refuse_dedicated_endpoints(spec: CouncilSpec) -> None:
    """Refuse a wish that could only be ignored: the operator does not run endpoints.

    Raises:
        InvalidSpecError: a model is both.
    """
    for model in spec.models:
        if model.endpoint and model.dedicated:
            raise InvalidSpecError(
                f"spec.models[{model.name}].dedicated is true, but an endpoint is somebody else's server: "
                "remove dedicated"
            )


def _refuse_two_who_suspend(spec: CouncilSpec, council: Body) -> None:
    """Refuse to suspend a RayJob that Kueue suspends and resumes: each would undo what the other does.

    Raises:
        InvalidSpecError: the runner may sleep, and is in one of Kueue's queues.
    """
    kueue = labels.kueue_labels(council)
    if kueue and spec.runner.idle_seconds:
        raise InvalidSpecError(
            f"spec.runner.idleSeconds is {spec.runner.idle_seconds}, but with the label {next(iter(kueue))} it is "
            "Kueue that suspends the runner: remove either"
        )
