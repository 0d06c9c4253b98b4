"""Installs the KubeRay operator as its own kustomization has it, less the limits that are too small to be quick."""

import os
from pathlib import Path
from typing import Any

import yaml

from clusters.cluster_images import KUBERAY_IMAGE
from clusters.kubernetes_api import Kubectl

NAMESPACE = "kuberay-system"
RECONCILES_AT_ONCE = 4


def crd_files(program: Path) -> list[Path]:
    """Return KubeRay's CustomResourceDefinitions, one file each, from the folder of its program."""
    return sorted((program / "crd" / "bases").glob("*.yaml"))


def kustomization(program: Path, folder: Path) -> dict[str, Any]:
    """Return the kustomization that installs the operator from the folder of its program (pure).

    It is to be written in `folder`. The image is the cluster's own; probes begin at once, and a burst of
    RayJobs is not slowed down by a tenth of a processor or one reconcile at a time.
    """
    image, _, tag = KUBERAY_IMAGE.partition(":")
    container = "/spec/template/spec/containers/0"
    changes = [
        {
            "op": "replace",
            "path": f"{container}/args",
            "value": [f"--reconcile-concurrency={RECONCILES_AT_ONCE}", "--qps=200", "--burst=400"],
        },
        {
            "op": "replace",
            "path": f"{container}/resources",
            "value": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        },
        {"op": "replace", "path": f"{container}/readinessProbe/initialDelaySeconds", "value": 0},
        {"op": "replace", "path": f"{container}/readinessProbe/periodSeconds", "value": 1},
    ]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": ["namespace.yaml", *(os.path.relpath(program / part, folder) for part in ("rbac", "manager"))],
        "images": [{"name": "kuberay/operator", "newName": image, "newTag": tag}],
        "patches": [{"target": {"kind": "Deployment", "name": "kuberay-operator"}, "patch": yaml.safe_dump(changes)}],
    }


def install(kubectl: Kubectl, program: Path, folder: Path) -> None:
    """Apply the CustomResourceDefinitions and the operator.

    Args:
        kubectl: of the cluster.
        program: folder of KubeRay's program, which holds its manifests too.
        folder: made for the kustomization.

    Raises:
        StepFailed: the API server refused an object.
    """
    folder = folder.resolve()
    folder.mkdir(exist_ok=True)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    (folder / "namespace.yaml").write_text(yaml.safe_dump(namespace))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization(program.resolve(), folder)))
    # First, for the operator exits when they are missing.
    kubectl.apply_path("--filename", program / "crd" / "bases", "installing KubeRay's CustomResourceDefinitions")
    kubectl.apply_path("--kustomize", folder, "installing the KubeRay operator")


def wait(kubectl: Kubectl) -> None:
    """Wait until the operator is available.

    Raises:
        StepFailed: it is not after two minutes.
    """
    kubectl.wait_deployment("kuberay-operator", NAMESPACE, "waiting for the KubeRay operator")
