"""What all our pods have in common: the restricted security profile and where they may write."""

from council_operator.plan.settings import RenderSettings, Resources
from council_operator.render.labels import Body

USER_ID = 65_532
"""User and group of every container; stated, because an image of the user's may run as root by itself."""


def pod_security() -> Body:
    """Return the pod's part of the restricted profile. Mounted Secrets and claims are readable through the group."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Body:
    """Return the container's part of the restricted profile, with a root file system that nobody can change."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def resources(wanted: Resources) -> Body:
    """Return requests and limits of a container."""
    return {
        "requests": {"cpu": wanted.cpu_request, "memory": wanted.memory_request},
        "limits": {"cpu": wanted.cpu_limit, "memory": wanted.memory_limit},
    }


def pod_spec(container: Body, volumes: list[Body], settings: RenderSettings) -> Body:
    """Return a pod of one container that asks the API server for nothing and takes no environment from Services.

    Without `enableServiceLinks: false` a Service of the user's that is named `vllm` would set VLLM_PORT.
    """
    pull_secrets = [{"name": name} for name in settings.images.pull_secrets]
    return {
        **({"imagePullSecrets": pull_secrets} if pull_secrets else {}),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": volumes,
    }


def secret_variable(name: str, secret: str, key: str) -> Body:
    """Return an environment variable whose value only the kubelet knows."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def literal(text: str) -> str:
    """Return text that the kubelet hands over as it is: `$(NAME)` in an argument would otherwise show a variable."""
    return text.replace("$", "$$")
