"""What the administrator decided for everything that the operator renders."""

from dataclasses import dataclass, field, replace

from deliberation.protocol.authority import Authority, period_of


@dataclass(frozen=True)
class Images:
    """Container images. `vllm` and `vllm_cpu` are defaults that a Council may override; so is `runner`.

    `pull_secrets` are names of Secrets, looked up in the namespace of each Council. `revision` is any text that changes
    when our own images were built anew under the same names: runners and simulated servers then roll.
    """

    operator: str
    runner: str
    vllm: str
    vllm_cpu: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    revision: str = ""


@dataclass(frozen=True)
class Resources:
    """CPU and memory of one container, as Kubernetes quantities in their canonical form (`1Gi`, never `1024Mi`)."""

    cpu_request: str
    memory_request: str
    cpu_limit: str
    memory_limit: str


@dataclass(frozen=True)
class Requests:
    """CPU and memory that the scheduler sets aside, without limits."""

    cpu: str
    memory: str


@dataclass(frozen=True)
class GpuDivision:
    """How the operator itself divides GPUs by time, where the administrator lets it.

    Attributes:
        selector: labels that a node must have, all of them; none selects no node.
        slices: of each GPU of these nodes.
        config_map: what the device plugin reads, in `namespace`.
    """

    selector: tuple[tuple[str, str], ...]
    slices: int
    config_map: str
    namespace: str


@dataclass(frozen=True)
class RenderSettings:
    """Settings of the rendered objects. The secrets never appear in `repr`, so that no log can hold them.

    Attributes:
        bus_url: NATS as seen from a runner's pod, in whichever namespace that is.
        bus_user: user name of runners at the bus; empty for a bus without users.
        bus_password: password of that user; mounted into runners through the Secret `council-bus`.
        bus_authority: signs credentials for each namespace's runners, in place of one password for all of them.
        bus_period: which period those credentials are for; `at` sets it.
        bus_ca: certificates of the authorities that the bus's must be signed by, as PEM; empty: the system's.
        bus_server_name: the name that the bus's certificate must be for; empty: the one in its address.
        derivation_key: secret from which the model servers' API keys are derived, one per namespace.
        ray_version: version of Ray in the runner image; KubeRay wants it stated for token authentication.
        cpu_kv_cache_gib: memory that vLLM on CPU sets aside for its key-value cache, in GiB.
        max_sequences: most sequences that a vLLM server works on at a time.
        gpu_overhead_mib: GPU memory that vLLM takes beside weights and key-value cache: CUDA, activations, graphs.
        gpu_division: how GPUs are divided by the operator; None where that is left to people.
    """

    images: Images
    bus_url: str
    bus_user: str
    bus_password: str = field(repr=False)
    derivation_key: bytes = field(repr=False)
    ray_version: str = "2.60.0"
    runner: Resources = Resources("200m", "1Gi", "2", "6Gi")
    simulated: Resources = Resources("50m", "64Mi", "1", "256Mi")
    vllm_gpu: Requests = Requests("1", "4Gi")
    vllm_cpu: Requests = Requests("500m", "2Gi")
    cpu_kv_cache_gib: int = 1
    max_sequences: int = 64
    gpu_overhead_mib: int = 1536
    gpu_division: GpuDivision | None = None
    bus_authority: Authority | None = None
    bus_period: int = 0
    bus_ca: str = ""
    bus_server_name: str = ""

    def at(self, now_ms: int) -> "RenderSettings":
        """Return the settings of a time (milliseconds since the epoch): runners' credentials are renewed."""
        return replace(self, bus_period=period_of(now_ms)) if self.bus_authority else self
