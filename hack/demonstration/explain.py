"""When something does not come up: which object it is, what its status says, and what its pods say."""

from demonstration.kubectl import Body, Kubectl, KubectlError
from demonstration.story import printable

LOG_LINES = 12
MAX_PODS = 4


def explain(kubectl: Kubectl, resource: str, name: str, last: Body | None) -> str:
    """Return what a person needs to find the fault of one object, and the commands that show more."""
    parts = [_conditions(resource, name, last), _troubled_pods(kubectl), _operator(kubectl)]
    parts.append(
        "To look further:\n"
        f"  kubectl --kubeconfig {kubectl.kubeconfig} -n {kubectl.namespace} describe {resource} {name}\n"
        f"  kubectl --kubeconfig {kubectl.kubeconfig} -n council-system logs deployment/council-operator"
    )
    return "\n\n".join(part for part in parts if part)


def _conditions(resource: str, name: str, last: Body | None) -> str:
    if last is None:
        return f"{resource}/{name} does not exist."
    conditions = last.get("status", {}).get("conditions", [])
    if not conditions:
        return f"{resource}/{name} has no conditions: the operator has not seen it."
    lines = [f"  {c['type']}={c['status']} {c['reason']}: {printable(c.get('message', ''))}" for c in conditions]
    return f"{resource}/{name} says:\n" + "\n".join(lines)


def _troubled_pods(kubectl: Kubectl) -> str:
    try:
        pods = [pod for pod in kubectl.find_all("pods") if not _is_ready(pod)][:MAX_PODS]
        return "\n\n".join(_pod(kubectl, pod["metadata"]["name"]) for pod in pods)
    except KubectlError as error:
        return f"Its pods cannot be listed: {error}"


def _is_ready(pod: Body) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    finished = pod.get("status", {}).get("phase") == "Succeeded"
    return finished or any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _pod(kubectl: Kubectl, name: str) -> str:
    events = _tail(kubectl, "events", "--for", f"pod/{name}")
    logs = _tail(kubectl, "logs", name, "--all-containers", f"--tail={LOG_LINES}")
    return f"Pod {name} is not ready. Its events:\n{events}\n  Its last log lines:\n{logs}"


def _operator(kubectl: Kubectl) -> str:
    logs = _tail(kubectl.within("council-system"), "logs", "deployment/council-operator", f"--tail={LOG_LINES}")
    return f"The operator's last log lines:\n{logs}"


def _tail(kubectl: Kubectl, *arguments: str) -> str:
    try:
        lines = printable(kubectl.run(*arguments)).strip().splitlines()[-LOG_LINES:]
    except KubectlError as error:
        lines = [str(error)]
    return "\n".join(f"    {line}" for line in lines) or "    none"
