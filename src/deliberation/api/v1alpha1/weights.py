"""What a model server loads: the weights of its model, and adapters beside them."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.base import ImageReference, KeyReference, MemoryQuantity, Model, ObjectName, Rule, rules

_INSIDE = rules(
    Rule(
        "!self.startsWith('/') && !self.split('/').exists(part, part == '..')",
        "path must be relative to the volume's root and must not leave it: no leading / and no ..",
    )
)


class HubWeights(Model):
    """Weights that the model server downloads from a hub when it starts."""

    token_secret_ref: Annotated[KeyReference | None, Field(description="Secret that holds the hub's access token")] = (
        None
    )
    cache_claim_name: Annotated[
        ObjectName | None, Field(description="PersistentVolumeClaim that keeps downloads across restarts")
    ] = None


class VolumeWeights(Model):
    """Weights that lie on a volume already."""

    claim_name: Annotated[
        ObjectName, Field(description="PersistentVolumeClaim that holds the weights; mounted read-only")
    ]
    path: Annotated[
        str,
        StringConstraints(min_length=1, max_length=512),
        Field(
            description="Folder of the model inside the volume, relative",
            json_schema_extra=_INSIDE,
        ),
    ]


class ImageWeights(Model):
    """Weights in an OCI image or artifact, which the kubelet pulls and mounts read-only."""

    reference: Annotated[ImageReference, Field(description="Image that holds the weights")]
    path: Annotated[
        str,
        StringConstraints(max_length=512),
        Field(
            description="Folder of the model inside the image, relative; empty is its root", json_schema_extra=_INSIDE
        ),
    ] = ""


class Weights(Model):
    """Where a model server finds its weights: at most one source; none means the hub without a token or cache."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "[has(self.hub), has(self.persistentVolumeClaim), has(self.image)].filter(x, x).size() <= 1",
                "weights come from one source: give at most one of hub, persistentVolumeClaim and image",
            ),
        )
    )

    size: Annotated[
        MemoryQuantity | None,
        Field(
            description="Memory that the weights take once loaded, adapters included. Nobody knows it before the "
            "download: only what is declared here can be held against the GPU's memory, or asked of a node, beforehand"
        ),
    ] = None
    hub: HubWeights | None = None
    persistent_volume_claim: VolumeWeights | None = None
    image: ImageWeights | None = None

    @property
    def is_mounted(self) -> bool:
        """Return whether the weights lie in the pod's file system, and are not downloaded."""
        return self.persistent_volume_claim is not None or self.image is not None


class Adapter(Model):
    """A LoRA adapter that a model's server serves beside the model itself."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.hub) != has(self.path)",
                "an adapter comes from one place: give either hub, its id there, or path, its folder near the weights",
            )
        )
    )

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=22, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        Field(description="What members call it, and the name that it is served under"),
    ]
    hub: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$"),
        Field(description="Id at the hub"),
    ] = None
    path: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=512),
        Field(description="Folder in the volume or image of the weights, relative", json_schema_extra=_INSIDE),
    ] = None
    rank: Annotated[
        int,
        Field(
            ge=8,
            le=512,
            description="Rank that the adapter was trained with, or the next larger that vLLM knows",
            json_schema_extra=rules(
                Rule(
                    "self in [8, 16, 32, 64, 128, 256, 320, 512]",
                    "rank must be one that vLLM knows (8, 16, 32, 64, 128, 256, 320 or 512): take the next larger one",
                )
            ),
        ),
    ] = 16
