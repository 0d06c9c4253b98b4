"""The models of a Council: each is a server of vLLM, an endpoint of somebody else's, or simulated."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.base import DnsLabel, KeyReference, Model, Rule, rules
from deliberation.api.v1alpha1.vllm import VllmModel


class EndpointModel(Model):
    """An OpenAI-compatible server that somebody else runs."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.caBundleRef) || self.url.startsWith('https://')",
                "caBundleRef says whose certificates are trusted, and a url of http:// has none: use https:// or "
                "remove caBundleRef",
                field="caBundleRef",
            ),
        )
    )

    url: Annotated[
        str,
        StringConstraints(min_length=1, max_length=512),
        Field(
            description="Base URL up to and including the version, such as https://llm.example.com/v1",
            json_schema_extra=rules(
                Rule(
                    r"self.matches('^https?://[^\\s?#]+$')",
                    "url must begin with http:// or https:// and hold no query: give the base URL, "
                    "such as https://llm.example.com/v1",
                ),
                Rule(
                    "!self.matches('^https?://[^/]*@')",
                    "url must hold no user or password: put the key into a Secret and name it in apiKeySecretRef",
                ),
            ),
        ),
    ]
    model_name: Annotated[
        str, StringConstraints(min_length=1, max_length=256), Field(description="Name of the model at that server")
    ]
    api_key_secret_ref: Annotated[KeyReference | None, Field(description="Secret that holds the API key")] = None
    ca_bundle_ref: Annotated[
        KeyReference | None,
        Field(
            description="ConfigMap that holds, in PEM, the certificates of the authorities that the server's "
            "certificate must come from; default is those that the runner's image trusts"
        ),
    ] = None


class SimulatedModel(Model):
    """A model server that only pretends: for tests and demonstrations, and marked so in every status it touches."""

    accuracy_percent: Annotated[
        int, Field(ge=0, le=100, description="How often a seat answers a closed question rightly")
    ] = 70
    latency_milliseconds: Annotated[int, Field(ge=0, le=600_000, description="Time each call takes")] = 50
    failure_percent: Annotated[
        int, Field(ge=0, le=100, description="How often a call answers with HTTP status 500")
    ] = 0
    malformed_percent: Annotated[
        int, Field(ge=0, le=100, description="How often an answer ignores the requested format")
    ] = 0
    seed: Annotated[
        int, Field(ge=0, le=2_147_483_647, description="Servers with the same seed give the same answers")
    ] = 1


class CouncilModel(Model):
    """One model that members can refer to."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "[has(self.vllm), has(self.endpoint), has(self.simulated)].filter(x, x).size() == 1",
                "a model needs exactly one source: give one of vllm, endpoint and simulated",
            ),
        )
    )

    name: Annotated[DnsLabel, Field(description="What members call it")]
    dedicated: Annotated[
        bool,
        Field(
            description="false: Councils of the namespace that declare the same server share it; "
            "true: this Council has its own"
        ),
    ] = False
    vllm: VllmModel | None = None
    endpoint: EndpointModel | None = None
    simulated: SimulatedModel | None = None
