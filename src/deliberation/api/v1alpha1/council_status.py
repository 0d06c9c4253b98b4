"""What the operator reports of a Council."""

from typing import Annotated

from pydantic import Field

from deliberation.api.v1alpha1.base import Conditions, StatusModel, by_name


class ModelGpuStatus(StatusModel):
    """What a model's server was given of the GPUs."""

    resource: Annotated[str, Field(max_length=128)]
    """Extended resource that its pod asks for"""
    slices: int
    """Units of it, for each replica"""
    memory_utilization_percent: int
    """Share of each GPU's memory that it may use"""
    node: Annotated[str | None, Field(max_length=253)] = None
    """Node that it runs on; of several replicas the first in the alphabet"""


class ReplicasStatus(StatusModel):
    """How many servers a model has."""

    wanted: int
    """Servers that are to run now; 0 while it sleeps or waits for its turn"""
    ready: int
    """Servers that answer"""

    @property
    def is_short(self) -> bool:
        """Return whether fewer answer than are wanted."""
        return self.ready < self.wanted


class ModelStatus(StatusModel):
    """What is known of one model."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the model in the spec"""
    ready: bool
    """true if it answers"""
    simulated: bool = False
    """true if it only pretends"""
    endpoint: Annotated[str, Field(max_length=512)] = ""
    """Base URL of its server"""
    model_name: Annotated[str, Field(max_length=256)] = ""
    """Name of the model at that server"""
    revision: Annotated[str | None, Field(max_length=128)] = None
    """Revision of the weights, if pinned"""
    deployment: Annotated[str | None, Field(max_length=63)] = None
    """Deployment that answers for it, absent for an endpoint; the former one until a changed one answers"""
    adapters: Annotated[tuple[Annotated[str, Field(max_length=22)], ...], Field(max_length=16)] = ()
    """LoRA adapters that it serves"""
    replicas: ReplicasStatus | None = None
    """Servers that answer of those wanted, absent for an endpoint"""
    gpu: ModelGpuStatus | None = None
    """What it was given of the GPUs, absent on CPU"""
    message: Annotated[str | None, Field(max_length=1024)] = None
    """What it waits for, or what is wrong"""


class MemberStatus(StatusModel):
    """What is known of one member."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the member in the spec"""
    seats: int
    """Seats asked for"""
    ready_seats: int
    """Seats that can answer now"""


class RunnerStatus(StatusModel):
    """What is known of the runner."""

    ray_job: Annotated[str, Field(max_length=63)]
    """RayJob that runs the seats"""
    ray_cluster: Annotated[str | None, Field(max_length=63)] = None
    """RayCluster that KubeRay made for it"""
    phase: Annotated[str, Field(max_length=63)] = "Unknown"
    """KubeRay's word for where the RayJob is"""


class QueueStatus(StatusModel):
    """Deliberations of this Council, by where they are."""

    queued: int = 0
    """Deliberations that wait"""
    running: int = 0
    """Deliberations in work"""
    suspended: int = 0
    """Deliberations that are suspended"""
    finished: int = 0
    """Deliberations at their end"""


class GpuPlanStatus(StatusModel):
    """What is missing of the GPUs."""

    config_map: Annotated[str, Field(max_length=2048)]
    """ConfigMap of the device plugin that would offer the missing slices, to be applied by an administrator"""


class CouncilStatus(StatusModel):
    """What the operator reports."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; -1 before the operator has seen it"""
    conditions: Conditions = ()
    """What is so and what is not; Ready is the one to wait for"""
    models: Annotated[tuple[ModelStatus, ...], Field(max_length=8, json_schema_extra=by_name())] = ()
    """The models, as they are"""
    model_count: Annotated[str, Field(max_length=16)] = ""
    """Ready models of all, for people"""
    members: Annotated[tuple[MemberStatus, ...], Field(max_length=16, json_schema_extra=by_name())] = ()
    """The members, as they are"""
    seat_count: Annotated[str, Field(max_length=16)] = ""
    """Ready seats of all, for people"""
    simulated: bool = False
    """true if any model of the Council only pretends"""
    gpu_plan: GpuPlanStatus | None = None
    """What is missing of the GPUs, absent when nothing is"""
    runner: RunnerStatus | None = None
    """The runner, as it is; absent where each Deliberation gets its own"""
    queue: QueueStatus = QueueStatus()
    """Deliberations of this Council, by where they are"""
