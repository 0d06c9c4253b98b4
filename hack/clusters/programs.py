"""The programs of a cluster, built from Go modules once and kept in the cache."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from clusters import commands
from clusters.errors import Refusal, StepFailed
from clusters.folders import DATA
from clusters.locks import locked
from clusters.progress import Progress

GO_MODULES = DATA / "go"
OLDEST_GO = (1, 26)
COLD_BUILD_BYTES = 12 * 2**30
COLD_BUILD_MEMORY = 4 * 2**30
KUBERAY_MODULE = "github.com/ray-project/kuberay/ray-operator"
KUBERNETES_MODULE = "k8s.io/kubernetes"


@dataclass(frozen=True)
class Program:
    """One Go module under `go/` and what is built from it.

    Attributes:
        name: the module's folder, and the file name of the program.
        package: what to build: the module itself, or the import path of a tool that its go.mod names.
        called: further names under which the program lies beside itself and which tell it what to be.
        tree: folders of the package's module that are kept beside the program.
        minutes: how long a first build takes on two cores.
    """

    name: str
    package: str = "."
    called: tuple[str, ...] = ()
    tree: tuple[str, ...] = field(default=())
    minutes: int = 1


KUBERNETES = Program(
    "kubernetes",
    called=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"),
    minutes=9,
)
COREDNS = Program("coredns")
KUBERAY = Program("kuberay", KUBERAY_MODULE, tree=("config/crd/bases", "config/rbac", "config/manager"), minutes=2)
KIND = Program("kind", "sigs.k8s.io/kind")
PAUSE = Program("pause")


def required_version(program: Program, module: str) -> str:
    """Return the version of a module that the program's go.mod asks for, as `v1.37.2`."""
    found = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", _go_mod(program), re.MULTILINE)
    if found is None:
        raise ValueError(f"go/{program.name}/go.mod does not require {module}")
    return found[1]


def kubernetes_version() -> str:
    """Return the version of Kubernetes that is built, as `v1.37.2`."""
    return required_version(KUBERNETES, KUBERNETES_MODULE)


def kuberay_version() -> str:
    """Return the version of KubeRay that is built, as `v1.6.2`."""
    return required_version(KUBERAY, KUBERAY_MODULE)


def go_version() -> str:
    """Return the version of the Go toolchain, as `go1.26.8`.

    Raises:
        Refusal: there is none, or it is too old.
    """
    wanted = ".".join(map(str, OLDEST_GO))
    if shutil.which("go") is None:
        raise Refusal(
            "Go is not installed, and the programs of a local cluster are built with it.",
            f"Install Go {wanted} or newer and put it on PATH.",
        )
    version = commands.run(
        ["go", "env", "GOVERSION"], step="asking Go for its version", environment={"GOTOOLCHAIN": "local"}
    ).strip()
    found = re.match(r"go(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GO:
        raise Refusal(f"Go is too old: {version}.", f"Install Go {wanted} or newer and put it on PATH.")
    return version


def home(program: Program, cache: Path, go: str) -> Path:
    """Return the folder of a program: its name and a digest of all that it is made from."""
    content = hashlib.sha256(f"{go} {program}".encode())
    for source in sorted((GO_MODULES / program.name).iterdir()):
        content.update(source.name.encode() + b"\0" + source.read_bytes())
    return cache / "programs" / f"{program.name}-{content.hexdigest()[:12]}"


def provide(program: Program, cache: Path, progress: Progress) -> Path:
    """Return the folder that holds a program, building it when it is not there.

    An interrupted build leaves nothing; two commands that want the same program build it once.

    Raises:
        Refusal: no Go, too little disk space or memory.
        StepFailed: the build failed.
    """
    target = home(program, cache, go_version())
    if (target / program.name).exists():
        return target
    with locked(cache, busy=lambda: progress.note("another command is building; waiting for it")):
        if not (target / program.name).exists():
            _refuse_small_machine(program, cache)
            _build(program, target, progress)
    return target


def _build(program: Program, target: Path, progress: Progress) -> None:
    source = GO_MODULES / program.name
    what = f"building {program.name}"
    progress.note(f"{what} {_versions(program)}: about {program.minutes} min on two cores when nothing is cached")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{program.name}-") as folder:
        unfinished = Path(folder) / "built"
        unfinished.mkdir()
        log = target.parent / f"{program.name}.log"
        arguments = [
            "go",
            "build",
            "-v",
            "-trimpath",
            "-ldflags",
            _linker_flags(program),
            "-o",
            str(unfinished / program.name),
        ]
        _compile([*arguments, program.package], source, log, what, progress)
        for name in program.called:
            (unfinished / name).symlink_to(program.name)
        if program.tree:
            _keep_tree(program, source, unfinished)
        unfinished.rename(target)
    log.unlink()
    progress.note(f"built {program.name}")


def _compile(arguments: list[str], source: Path, log: Path, what: str, progress: Progress) -> None:
    """Run the compiler, which names each package that it compiles in the log, and show how far it is."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            cwd=source,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_environment()},
            start_new_session=True,
        )
    try:
        while process.poll() is None:
            compiled = log.read_text().splitlines()
            progress.now(f"{what}: {len(compiled)} packages, now after {compiled[-1]}" if compiled else what)
            try:
                process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
    finally:
        commands.end(process)
    if process.returncode != 0:
        raise StepFailed(what, f"'go build' ended with status {process.returncode}", log)


def _keep_tree(program: Program, source: Path, destination: Path) -> None:
    arguments = ["go", "-C", str(source), "list", "-m", "-f", "{{.Dir}}", program.package]
    module = Path(
        commands.run(arguments, step=f"finding the files of {program.package}", environment=_environment()).strip()
    )
    for part in program.tree:
        shutil.copytree(module / part, destination / Path(part).relative_to("config"), copy_function=shutil.copyfile)
    for folder in [destination, *destination.rglob("*")]:
        folder.chmod(0o755 if folder.is_dir() or folder.name == program.name else 0o644)


def _environment() -> dict[str, str]:
    return {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}


def _linker_flags(program: Program) -> str:
    flags = "-s -w"
    if program is KUBERNETES:
        version = kubernetes_version()
        major, minor, _ = version.removeprefix("v").split(".")
        stamp = "k8s.io/component-base/version"
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        flags += "".join(f" -X {stamp}.{name}={value}" for name, value in values.items())
    return flags


def _versions(program: Program) -> str:
    if program is KUBERNETES:
        return f"{kubernetes_version()} with etcd {required_version(program, 'go.etcd.io/etcd/server/v3')}"
    module = {COREDNS: "github.com/coredns/coredns", KUBERAY: KUBERAY_MODULE, KIND: KIND.package}.get(program)
    return required_version(program, module) if module else ""


def _go_mod(program: Program) -> str:
    return (GO_MODULES / program.name / "go.mod").read_text()


def _refuse_small_machine(program: Program, cache: Path) -> None:
    if program is not KUBERNETES:
        return
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if free < COLD_BUILD_BYTES:
        raise Refusal(
            f"Building Kubernetes needs {COLD_BUILD_BYTES // 2**30} GiB of disk; {cache} has {free / 2**30:.1f}.",
            "Free some space, or point XDG_CACHE_HOME and GOCACHE to a larger disk.",
        )
    available = available_memory()
    if available < COLD_BUILD_MEMORY:
        raise Refusal(
            f"Building Kubernetes needs {COLD_BUILD_MEMORY // 2**30} GiB of memory; {available / 2**30:.1f} are free.",
            "End some programs, then run the same command again.",
        )


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return the bytes of memory that new programs can use."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
