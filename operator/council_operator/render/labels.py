"""Labels, annotations and owners: how the operator knows its children again, and who else owns them."""

from typing import Any

from council_operator.render.names import DIGEST_LENGTH, digest
from deliberation.api.v1alpha1.base import API_VERSION

Body = dict[str, Any]

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
SIMULATED_LABEL = "councils.dev/simulated"
MANAGER = "council-operator"
MANAGED_BY_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGER}"

SPEC_DIGEST = "councils.dev/spec-digest"
"""Annotation: digest of what was rendered, so that a change of the rendering is seen without comparing bodies."""

CREDENTIALS_DIGEST = "councils.dev/credentials-digest"
"""Annotation: keyed digest of the credentials that the object uses. The operator can't read Secrets: this tells it
which ones it wrote last, and rolls the model servers when they change."""

GPU_HOLDING = "councils.dev/gpu"
"""Annotation: which GPUs a model server was given. The plan reads it back: what runs keeps its place."""

DELIBERATION_LABEL = "councils.dev/deliberation"
"""uid of the Deliberation whose own runner a RayJob or a pod is."""

KUEUE_LABELS = ("kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class")
"""Labels of a Council that its RayJob gets, too. Kueue then sets that one's `spec.suspend`, and we never do."""

ASLEEP = "councils.dev/asleep"
"""Annotation, "true" or "false": the model server or the runner was put to sleep for want of questions. Without "true",
a server without pods awaits its turn, and a suspended RayJob was suspended by somebody else. It is never left out: a
Council cannot take away by server-side apply what another one that shares the object has written."""


def child_labels(application: str, component: str, instance: str) -> dict[str, str]:
    """Return the labels of one child; all values are ours, none is a user's text."""
    return {
        NAME_LABEL: application,
        INSTANCE_LABEL: instance,
        COMPONENT_LABEL: component,
        MANAGED_BY_LABEL: MANAGER,
    }


def deliberation_selector(uid: str) -> str:
    """Return the label selector of everything that a Deliberation's own runner is made of."""
    return f"{DELIBERATION_LABEL}={uid}"


def owner_reference(owner: Body) -> Body:
    """Return an owner of a child, which may be shared: none is its controller, none blocks a deletion."""
    metadata = owner["metadata"]
    return {
        "apiVersion": API_VERSION,
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": False,
        "blockOwnerDeletion": False,
    }


def field_manager(owner: Body) -> str:
    """Return the field manager of one owner: server-side apply then merges the owners of a shared child by uid."""
    return f"{owner['kind'].lower()}-{owner['metadata']['uid']}"


def is_owned_by(child: Body, council_uid: str) -> bool:
    """Return whether the Council is among the child's owners."""
    return any(owner["uid"] == council_uid for owner in child["metadata"].get("ownerReferences", ()))


def kueue_labels(council: Body) -> dict[str, str]:
    """Return those labels of a Council that are for Kueue."""
    labels = council["metadata"].get("labels", {})
    return {name: labels[name] for name in KUEUE_LABELS if name in labels}


def annotation(child: Body, name: str) -> str | None:
    """Return one annotation of a child, or None."""
    value = child["metadata"].get("annotations", {}).get(name)
    return value if isinstance(value, str) else None


def child(api_version: str, kind: str, name: str, owner: Body, labels: dict[str, str]) -> Body:
    """Return a child's body without content: its identity, labels and the one owner that applies it."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "annotations": {},
            "ownerReferences": [owner_reference(owner)],
        },
    }


def seal(body: Body) -> Body:
    """Return the body with the digest of what was rendered, owners apart, as its annotation."""
    metadata = body["metadata"]
    content = {**body, "metadata": {**metadata, "ownerReferences": []}}
    annotations = {**metadata["annotations"], SPEC_DIGEST: digest(content)[:DIGEST_LENGTH]}
    return {**body, "metadata": {**metadata, "annotations": annotations}}
