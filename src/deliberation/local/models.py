"""Where a local run finds the models of its Councils: servers that exist, and simulated ones in this very process."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from council_operator.plan.roster import build_roster
from council_operator.plan.settings import RenderSettings
from council_operator.render.simulated import MODEL_NAME
from deliberation.api.v1alpha1.council_models import SimulatedModel
from deliberation.local.faults import BadInputError
from deliberation.local.manifests import Manifests
from deliberation.local.options import Endpoint, Options
from deliberation.models.simulated.answering import Traits
from deliberation.models.simulated.server import SimulatedModel as ServedModel
from deliberation.models.simulated.server import build_app
from deliberation.protocol.tasks import ModelAddress

Body = dict[str, Any]

KEY = "api-key"
"""Key of the stand-in Secret of a model that was mapped to an endpoint."""

BUNDLE = "ca.crt"
"""Key of the stand-in ConfigMap with the authorities of such a model."""


def map_models(manifests: Manifests, options: Options) -> tuple[Manifests, dict[str, str]]:
    """Return the manifests with every model at a server that exists or is simulated, and what is to lie in files.

    These are keys and certificates, by path as the seats look them up: `secrets/<Secret>/<key>` and
    `certificates/<ConfigMap>/<key>`.

    Raises:
        BadInputError: a model has no server, no key or no certificates, or an option names no model.
    """
    files: dict[str, str] = {}
    faults: list[str] = []
    councils = tuple(
        {
            **council,
            "spec": {
                **council["spec"],
                "models": [
                    _map_model(model, council["metadata"]["name"], options, files, faults)
                    for model in council["spec"]["models"]
                ],
            },
        }
        for council in manifests.councils
    )
    known = {model["name"] for council in councils for model in council["spec"]["models"]}
    named = (("--endpoint", options.endpoints), ("--api-key", options.api_keys), ("--ca-bundle", options.ca_bundles))
    for option, names in named:
        faults += [f"{option} {name}: no Council has a model of that name" for name in names if name not in known]
    if faults:
        raise BadInputError(faults)
    return Manifests(councils, manifests.deliberations, manifests.ignored), files


def _map_model(model: Body, council: str, options: Options, files: dict[str, str], faults: list[str]) -> Body:
    """Return the model as an endpoint or a simulated one; add to the files, or to the faults."""
    name = model["name"]
    given = options.endpoints.get(name)
    where = f"Council {council}: spec.models[{name}]"
    if "simulated" in model:
        if given or name in options.api_keys or name in options.ca_bundles:
            faults.append(f"{where} is simulated: declare an endpoint in its place, or leave the option out")
        return model
    if given:
        model = {"name": name, "endpoint": _build_endpoint(model, given)}
    if "vllm" in model:
        example = f"--endpoint {name}=http://127.0.0.1:8000/v1,{model['vllm']['model']}"
        faults.append(f"{where} is a vLLM server, which only a cluster runs: name one that runs already, as {example}")
        return model
    model = _find_key(model, where, options.api_keys.get(name), files, faults)
    return _find_ca_bundle(model, where, options.ca_bundles.get(name), files, faults)


def _build_endpoint(model: Body, given: Endpoint) -> Body:
    """Return the endpoint that stands in for a model; without a name of its own it serves the declared one."""
    declared = model.get("endpoint", {})
    own_name = declared.get("modelName") or model.get("vllm", {}).get("model")
    kept = declared if given.url.startswith("https://") else {**declared, "caBundleRef": None}
    endpoint = {**kept, "url": given.url, "modelName": given.model_name or own_name}
    return {name: value for name, value in endpoint.items() if value is not None}


def _find_ca_bundle(model: Body, where: str, bundle: str | None, files: dict[str, str], faults: list[str]) -> Body:
    """Return the model with a reference to its authorities, if it has any; add them, or the fault that they miss."""
    reference = model["endpoint"].get("caBundleRef")
    if bundle is None:
        if reference:
            example = f"--ca-bundle {model['name']}=PATH"
            faults.append(
                f"{where} takes its authorities from ConfigMap {reference['name']}: tell where they are, as {example}"
            )
        return model
    if not model["endpoint"]["url"].startswith("https://"):
        faults.append(f"{where} is asked over http, where there is no certificate: leave --ca-bundle out")
        return model
    reference = reference or {"name": model["name"], "key": BUNDLE}
    if reference["key"] in {".", ".."}:
        faults.append(f"{where}: caBundleRef.key is {reference['key']}, which no ConfigMap can have")
        return model
    files[f"certificates/{reference['name']}/{reference['key']}"] = bundle
    return {**model, "endpoint": {**model["endpoint"], "caBundleRef": reference}}


def _find_key(model: Body, where: str, key: str | None, files: dict[str, str], faults: list[str]) -> Body:
    """Return the model with a reference to its key, if it has one; add the key, or the fault that there is none."""
    reference = model["endpoint"].get("apiKeySecretRef")
    if key is None:
        if reference:
            example = f"--api-key {model['name']}=env:VARIABLE"
            faults.append(f"{where} takes its key from Secret {reference['name']}: tell where it is, as {example}")
        return model
    reference = reference or {"name": model["name"], "key": KEY}
    if reference["key"] in {".", ".."}:
        faults.append(f"{where}: apiKeySecretRef.key is {reference['key']}, which no Secret can have")
        return model
    files[f"secrets/{reference['name']}/{reference['key']}"] = key
    return {**model, "endpoint": {**model["endpoint"], "apiKeySecretRef": reference}}


@dataclass(frozen=True)
class SimulatedServers:
    """The running simulated models: each once, however many Councils declare it, as in a cluster."""

    models: Mapping[str, ServedModel]
    urls: Mapping[str, str]
    settings: RenderSettings

    def relocate(self, models: tuple[ModelAddress, ...], council: Body) -> tuple[ModelAddress, ...]:
        """Return a Council's models with the simulated ones at their addresses here, where they ask for no key."""
        server_of = build_roster(council, self.settings).server_of
        return tuple(
            model.model_copy(update={"base_url": self.urls[server_of[model.name]], "api_key_file": None})
            if model.simulated
            else model
            for model in models
        )

    @property
    def counts(self) -> Counter[str]:
        """Return what all of them counted together: calls, promptTokens, cachedTokens, completionTokens and more."""
        return sum((model.counts for model in self.models.values()), Counter())


@asynccontextmanager
async def serving(councils: Iterable[Body], settings: RenderSettings) -> AsyncIterator[SimulatedServers]:
    """Serve every simulated model of the Councils on free ports of the loopback, until the end of the context."""
    servers = {
        server.name: server.declaration
        for council in councils
        for server in build_roster(council, settings).servers
        if isinstance(server.declaration, SimulatedModel)
    }
    models = {name: ServedModel(MODEL_NAME, Traits(**declared.model_dump())) for name, declared in servers.items()}
    runners: list[web.AppRunner] = []
    urls: dict[str, str] = {}
    try:
        for name, model in models.items():
            runner = web.AppRunner(build_app(model), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
            runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            urls[name] = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield SimulatedServers(models, urls, settings)
    finally:
        for runner in runners:
            await runner.cleanup()
