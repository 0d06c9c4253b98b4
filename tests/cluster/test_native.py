"""Real clusters on this machine: they live beside each other, survive, and leave no trace."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cluster import shell_image
from cluster.host_state import folders as host_folders
from cluster.host_state import host_state, processes
from clusters import folders, record

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="native clusters need root"),
    pytest.mark.skipif(shutil.which("go") is None, reason="native clusters are built with Go"),
]
HACK = Path(__file__).parents[2] / "hack"
IMAGE = "council-operator/test-shell:1"


@dataclass(frozen=True)
class Command:
    """`hack/cluster` with a state folder and an image store of its own, and the user's cache of programs."""

    state: Path
    cache: Path

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        environment = {
            **os.environ,
            "PYTHONPATH": str(HACK),
            "XDG_STATE_HOME": str(self.state),
            "XDG_CACHE_HOME": str(self.cache),
        }
        line = [sys.executable, "-m", "clusters", *arguments]
        return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str, status: int = 0) -> str:
        process = self.start(*arguments)
        output, complaint = process.communicate()
        assert process.returncode == status, complaint
        return output + complaint

    def kubectl(self, cluster: str, *arguments: str) -> str:
        line = ["kubectl", "--kubeconfig", self.run("kubeconfig", "--name", cluster).strip(), *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=True, timeout=180).stdout

    def index(self, cluster: str) -> int:
        return record.load(self.folder(cluster)).index

    def folder(self, cluster: str) -> Path:
        return self.state / "council-operator" / "clusters" / cluster


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    own = tmp_path / "cache" / "council-operator"
    own.mkdir(parents=True)
    shared = folders.from_environment().cache
    for part in ("programs", "images"):
        (shared / part).mkdir(parents=True, exist_ok=True)
        (own / part).symlink_to(shared / part)
    made = Command(tmp_path / "state", tmp_path / "cache")
    yield made
    made.run("down", "--all")


def run_pod(command: Command, cluster: str, name: str, node: str, script: str = "echo hello", claim: str = "") -> None:
    """Run a pod on the node until it is deleted; what `claim` names is mounted at /data."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "terminationGracePeriodSeconds": 0,
            "volumes": volumes,
            "containers": [
                {
                    "name": "shell",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", f"{script}; sleep infinity"],
                    "volumeMounts": [{"name": volume["name"], "mountPath": "/data"} for volume in volumes],
                }
            ],
        },
    }
    path = command.state / f"{name}.yaml"
    path.write_text(yaml.safe_dump(pod))
    command.kubectl(cluster, "wait", "--for=create", "serviceaccount/default", "--timeout=60s")
    command.kubectl(cluster, "apply", "-f", str(path))
    command.kubectl(cluster, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s")


def wait_until(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # how often to look, not how long to wait


def test_clusters_live_beside_each_other_and_leave_no_trace(command: Command, tmp_path: Path) -> None:
    marker, had = str(tmp_path), host_folders()
    command.run("up", "--name", "first", "--without-kuberay")
    first = {command.index("first")}
    one_up = host_state(marker, first)
    archive = shell_image.write(tmp_path / "shell.tar", IMAGE)
    assert "loaded" in command.run("load-image", "--name", "first", str(archive.path))
    assert "was there already" in command.run("load-image", "--name", "first", str(archive.path))

    command.run("up", "--name", "second", "--nodes", "2", "--without-kuberay")
    both = first | {command.index("second")}
    assert len(both) == 2
    assert "is up already" in command.run("up", "--name", "second", "--nodes", "2", "--without-kuberay")
    status = command.run("status")
    assert "first: healthy" in status
    assert "second: healthy" in status

    # The second cluster has the image from the store; nothing was loaded into it.
    run_pod(command, "first", "lonely", "n1")
    run_pod(command, "second", "here", "n1")
    run_pod(command, "second", "there", "n2")
    for cluster, pod in (("first", "lonely"), ("second", "here"), ("second", "there")):
        found = command.kubectl(cluster, "exec", pod, "--", "getent", "hosts", "kubernetes.default.svc.cluster.local")
        assert "kubernetes.default" in found
        assert command.kubectl(cluster, "logs", pod) == "hello\n"
    assert "here" not in command.kubectl("first", "get", "pods")
    capacity = command.kubectl(
        "first", "get", "node", "n1", "-o", "jsonpath={.status.capacity.cpu} {.status.capacity.pods}"
    )
    assert capacity == f"{os.cpu_count()} 110"

    command.run("down", "--name", "second")
    assert {name: lines for name, lines in host_state(marker, both).items() if lines != one_up[name]} == {}
    assert "first: healthy" in command.run("status")
    command.run("down", "--name", "first")
    assert not command.folder("first").exists()
    after = host_state(marker, both)
    for name in ("links", "routes", "cgroups"):
        assert not [line for line in after[name] if any(f"council{index}" in line for index in both)]
    assert after["processes"] == after["mounts"] == after["rules"] == set()
    assert host_folders() <= had | _folders_of_others()


def _folders_of_others() -> set[str]:
    """Folders stay as long as a cluster of somebody else needs them."""
    theirs = [path for path in Path("/sys/fs/cgroup").glob("*/council*") if path.is_dir()]
    return host_folders() if theirs else set()


def test_a_claim_keeps_its_data_when_its_pod_is_replaced(command: Command, tmp_path: Path) -> None:
    command.run("up", "--without-kuberay")
    cluster = "default"
    command.run("load-image", str(shell_image.write(tmp_path / "shell.tar", IMAGE).path))
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}},
    }
    path = tmp_path / "claim.yaml"
    path.write_text(yaml.safe_dump(claim))
    command.kubectl(cluster, "apply", "-f", str(path))
    run_pod(command, cluster, "writer", "n1", "echo kept > /data/file", "data")
    command.kubectl(cluster, "delete", "pod", "writer")
    run_pod(command, cluster, "reader", "n1", "read line < /data/file; echo $line", "data")
    assert command.kubectl(cluster, "logs", "reader") == "kept\n"


def test_a_killed_api_server_comes_back(command: Command) -> None:
    command.run("up", "--without-kuberay")
    (server,) = [line for line in processes(str(command.state)) if "kube-apiserver --etcd" in line]
    os.kill(int(server.split()[0]), signal.SIGKILL)
    wait_until(lambda: "default: healthy" in status_of(command))
    assert command.kubectl("default", "get", "namespace", "default", "-o", "name") == "namespace/default\n"


def status_of(command: Command) -> str:
    return command.start("status").communicate()[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing(command: Command, tmp_path: Path, number: signal.Signals) -> None:
    starting = command.start("up", "--without-kuberay")
    wait_until((command.folder("default") / "n1" / "log" / "kube-apiserver.log").exists, 600)
    index = command.index("default")
    starting.send_signal(number)
    _, complaint = starting.communicate(timeout=60)
    assert starting.returncode == 130
    assert "interrupted" in complaint
    assert not command.folder("default").exists()
    assert processes(str(tmp_path)) == set()
    assert not Path("/sys/class/net", f"council{index}").exists()


def test_a_killed_start_can_be_taken_down(command: Command, tmp_path: Path) -> None:
    starting = command.start("up", "--without-kuberay")
    wait_until((command.folder("default") / "n1" / "log" / "kube-apiserver.log").exists, 600)
    starting.kill()
    starting.communicate()
    refused = command.run("up", "--without-kuberay", status=2)
    assert "not healthy" in refused
    assert "hack/cluster down --name default" in refused
    command.run("down")
    assert not command.folder("default").exists()
    assert processes(str(tmp_path)) == set()


def test_a_component_that_can_not_start_is_named_with_the_end_of_its_log(command: Command, tmp_path: Path) -> None:
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "containerd").write_text("#!/bin/sh\necho the disk is on fire >&2\nexit 1\n")
    (broken / "containerd").chmod(0o755)
    command.run("build", "--without-kuberay")
    os.environ["PATH"], path = f"{broken}:{os.environ['PATH']}", os.environ["PATH"]
    try:
        failed = command.run("up", "--without-kuberay", status=1)
    finally:
        os.environ["PATH"] = path
    assert "waiting for containerd on n1" in failed
    assert "the disk is on fire" in failed
    assert not command.folder("default").exists()
