"""The steps of the tour. Each says what it does, and can be repeated: what is there already is used again."""

import copy
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from clusters import folders
from demonstration.explain import explain
from demonstration.kubectl import Body, Kubectl, NotReachedError, is_true
from demonstration.story import describe_council, describe_progress, is_finished

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = REPOSITORY / "docs" / "samples"
CHART = REPOSITORY / "charts" / "council-operator"

IMAGES = ("operator", "runner", "nats")
MODEL_CLAIM = "council-models"
"""The claim with the weights that the sample Council names."""

COUNCIL_SECONDS = 900
DELIBERATION_SECONDS = 720


class DemoError(Exception):
    """A step did not succeed; the message says which, and what to look at."""


@dataclass(frozen=True)
class Tour:
    """One run of the demo: which cluster, and whether the model only pretends."""

    cluster: str
    simulated: bool

    @property
    def images(self) -> tuple[str, ...]:
        """Return the names of the images that this tour needs."""
        return IMAGES if self.simulated else (*IMAGES, "vllm-cpu")

    @property
    def council_sample(self) -> Path:
        """Return the manifest of the Council."""
        return SAMPLES / ("council-simulated.yaml" if self.simulated else "council.yaml")


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins, and how long it took when it has succeeded."""
    print(f"\n==> {title}", flush=True)
    begin = time.monotonic()
    yield
    print(f"    done in {time.monotonic() - begin:.0f} s", flush=True)


def hack(command: str, *arguments: str) -> None:
    """Run one of the repository's commands; its own progress goes to the terminal.

    Raises:
        DemoError: it failed; it has said why.
    """
    done = subprocess.run([str(REPOSITORY / "hack" / command), *arguments], check=False)
    if done.returncode != 0:
        raise DemoError(f"hack/{command} {' '.join(arguments)} failed; the lines above say why.")


def answer_of(command: str, *arguments: str) -> str:
    """Return what one of the repository's commands prints.

    Raises:
        DemoError: it failed; it has said why.
    """
    done = subprocess.run(
        [str(REPOSITORY / "hack" / command), *arguments], check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise DemoError(f"hack/{command} {' '.join(arguments)} failed; the lines above say why.")
    return done.stdout.strip()


def prepare(tour: Tour) -> tuple[Kubectl, str]:
    """Bring up a cluster that holds the images; return the way to it and the digests of our images."""
    with step(f"1/5 A Kubernetes cluster named {tour.cluster}, with KubeRay"):
        hack("cluster", "up", "--name", tour.cluster)
        kubectl = Kubectl(Path(answer_of("cluster", "kubeconfig", "--name", tour.cluster)))
    with step(f"2/5 Images: {', '.join(tour.images)}"):
        hack("images", "build", *tour.images)
        archives = [answer_of("images", "path", name) for name in tour.images]
        hack("cluster", "load-image", "--name", tour.cluster, *archives)
    return kubectl, "-".join(Path(archive).stem for archive in archives[:2])


def install(kubectl: Kubectl, image_digest: str) -> None:
    """Install or upgrade the operator by its chart.

    A rebuilt image keeps its tag. `image_digest`, another one then, rolls the operator and all that runs of it.

    Raises:
        DemoError: it does not become ready.
    """
    with step("3/5 The operator and NATS, by Helm"):
        done = subprocess.run(
            [
                *("helm", "upgrade", "--install", "council-operator", str(CHART)),
                *("--kubeconfig", str(kubectl.kubeconfig), "--namespace", "council-system", "--create-namespace"),
                *("--wait", "--timeout", "5m"),
                *("--set", "images.nats=council-operator/nats:2.15.1"),
                *("--set-string", f"operator.podAnnotations.image={image_digest}"),
                *("--set-string", f"images.revision={image_digest}"),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            system = kubectl.within("council-system")
            fault = explain(system, "deployments", "council-operator", system.find("deployments", "council-operator"))
            raise DemoError(f"helm upgrade --install council-operator: {done.stderr.strip()}\n\n{fault}")


def convene(tour: Tour, kubectl: Kubectl) -> None:
    """Apply the Council and show how it becomes ready.

    Raises:
        DemoError: it does not become ready in time.
    """
    with step(f"4/5 A Council: kubectl apply -f {tour.council_sample.relative_to(REPOSITORY)}"):
        council: Body = yaml.safe_load(tour.council_sample.read_text())
        if not tour.simulated:
            model = Path(answer_of("images", "model"))
            for body in model_volume(model.parent):
                kubectl.apply(body)
            council = with_model(council, model.name)
        kubectl.apply(council)
        show(kubectl, "councils", "reviewers", describe_council, lambda body: is_true(body, "Ready"), COUNCIL_SECONDS)


def with_model(council: Body, folder: str) -> Body:
    """Return the sample Council on the model in `folder` of its claim: the sample's own, or one that the user chose."""
    chosen = copy.deepcopy(council)
    vllm = chosen["spec"]["models"][0]["vllm"]
    vllm["model"] = vllm["weights"]["persistentVolumeClaim"]["path"] = folder
    return chosen


def ask(kubectl: Kubectl) -> Body:
    """Put the question, show the phases as they change, and return the finished Deliberation.

    Raises:
        DemoError: it does not finish in time.
    """
    sample = SAMPLES / "deliberation.yaml"
    with step(f"5/5 A question to it: kubectl apply -f {sample.relative_to(REPOSITORY)}"):
        kubectl.delete("deliberations", "slow-shop")
        kubectl.apply(sample)
        return show(kubectl, "deliberations", "slow-shop", describe_progress, is_finished, DELIBERATION_SECONDS)


def show(
    kubectl: Kubectl,
    resource: str,
    name: str,
    describe: Callable[[Body], str],
    holds: Callable[[Body], bool],
    seconds: int,
) -> Body:
    """Print every new state of an object with the time since now, until `holds`; return it as it then is.

    Raises:
        DemoError: that did not happen in time; the message explains what is known.
    """
    begin = time.monotonic()
    said = ""

    def tell_and_test(body: Body) -> bool:
        nonlocal said
        if (line := describe(body)) != said:
            print(f"    {time.monotonic() - begin:5.1f} s  {line}", flush=True)
            said = line
        return holds(body)

    try:
        return kubectl.wait_for(resource, name, tell_and_test, seconds=seconds, what="done")
    except NotReachedError as error:
        raise DemoError(f"{error}\n\n{explain(kubectl, resource, name, error.last)}") from None


def model_folder() -> Path:
    """Return the folder that holds the prepared models, as `hack/images model` leaves it."""
    return folders.from_environment().models


def model_volume(folder: Path, *, namespace: str = "default", volume_name: str = MODEL_CLAIM) -> tuple[Body, Body]:
    """Return the volume over a folder of this machine, and the claim on it that the sample names."""
    size = {"storage": "4Gi"}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name},
        "spec": {
            "capacity": size,
            "accessModes": ["ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "hostPath": {"path": str(folder), "type": "Directory"},
            "claimRef": {"namespace": namespace, "name": MODEL_CLAIM},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": MODEL_CLAIM},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "resources": {"requests": size},
            "storageClassName": "",
            "volumeName": volume_name,
        },
    }
    return volume, claim
