"""What a model server needs of GPUs, and how it shares them."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.base import MemoryQuantity, Model, Rule, rules


class Sharing(StrEnum):
    """How the GPUs that a server asks for are divided among pods."""

    EXCLUSIVE = "Exclusive"
    TIME_SLICING = "TimeSlicing"
    MPS = "MPS"
    MIG = "MIG"


class Gpu(Model):
    """What a server needs of the nodes' GPUs, and how it shares them."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.sharing == 'Exclusive' || self.slices == 1",
                "slices must be 1 unless sharing is Exclusive: two slices of one GPU give neither more memory nor more "
                "speed; raise memoryPerSlice, or take whole GPUs with sharing Exclusive",
                field="slices",
            ),
            Rule(
                "self.tensorParallel == self.slices",
                "tensorParallel must equal slices: each part of the model needs a GPU of its own, and a GPU without a "
                "part would idle; give both the same number",
                field="tensorParallel",
            ),
            Rule(
                "self.sharing != 'MIG' || has(self.resourceName)",
                "sharing MIG needs resourceName: name the profile, such as nvidia.com/mig-1g.10gb "
                "(kubectl describe node shows which there are)",
                field="resourceName",
            ),
        )
    )

    sharing: Annotated[
        Sharing,
        Field(
            description="Exclusive: whole GPUs. TimeSlicing and MPS: one slice of a GPU that the node's device plugin "
            "divides. MIG: one hardware partition"
        ),
    ] = Sharing.EXCLUSIVE
    slices: Annotated[
        int, Field(ge=1, le=16, description="Units to ask for: whole GPUs if Exclusive, otherwise one slice")
    ] = 1
    resource_name: Annotated[
        str | None,
        StringConstraints(max_length=128, pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$"),
        Field(
            description="Extended resource to ask for; default nvidia.com/gpu, or nvidia.com/gpu.shared where nodes "
            "offer slices under that name"
        ),
    ] = None
    memory_per_slice: Annotated[
        MemoryQuantity | None,
        Field(
            description="GPU memory that the server may use of each unit; default is 92% of the GPU's memory, divided "
            "by its slices, as the node's labels tell"
        ),
    ] = None
    tensor_parallel: Annotated[
        int, Field(ge=1, le=16, description="Parts that the model is split into, one for each unit")
    ] = 1
