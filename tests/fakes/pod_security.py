"""The restricted profile of the Pod Security Standards, as far as our pods could break it, without a cluster."""

from typing import Any

Body = dict[str, Any]

VOLUMES = {
    *(
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
}


def violations(pod: Body) -> list[str]:
    """Return every rule of the restricted profile that a pod spec breaks, and our own: read-only root, no API token."""
    found = [
        f"{field} is set"
        for field in ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "hostAliases")
        if pod.get(field)
    ]
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or security.get("runAsUser", 0) == 0:
        found.append("may run as root")
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        found.append("no seccomp profile")
    if pod.get("automountServiceAccountToken") is not False:
        found.append("holds a token of the API server")
    volumes = pod.get("volumes", ())
    found += [f"volume {one['name']} is of a forbidden kind" for one in volumes if not set(one) - {"name"} <= VOLUMES]
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        found += [f"{container['name']}: {rule}" for rule in _container_violations(container)]
    return found


def _container_violations(container: Body) -> list[str]:
    security = container.get("securityContext", {})
    found = [] if security.get("allowPrivilegeEscalation") is False else ["may gain privileges"]
    if security.get("capabilities") != {"drop": ["ALL"]}:
        found.append("keeps capabilities")
    if security.get("readOnlyRootFilesystem") is not True:
        found.append("may change its root file system")
    if security.get("privileged") or any("hostPort" in port for port in container.get("ports", ())):
        found.append("reaches the node")
    return found
