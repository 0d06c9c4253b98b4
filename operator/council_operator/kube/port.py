"""What the operator needs of Kubernetes, and how it fails."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from council_operator.plan.actions import ObjectReference

Body = dict[str, Any]


class KubernetesError(Exception):
    """The API server refused a request, or could not be asked (status 0)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class NotFoundError(KubernetesError):
    """The object does not exist, or no such kind is installed."""


class ForbiddenError(KubernetesError):
    """The operator may not do that."""


class InvalidError(KubernetesError):
    """The API server finds the object itself at fault: it would refuse it again."""


class ConflictError(KubernetesError):
    """The object changed in the meantime, or is not the one that was meant."""


class Kubernetes(Protocol):
    """The calls that the operator makes. Each raises KubernetesError."""

    async def find(self, reference: ObjectReference) -> Body | None:
        """Return the object, or None when it does not exist."""
        ...

    async def list_labelled(self, api_version: str, kind: str, namespace: str, selector: str) -> Sequence[Body]:
        """Return the objects of one kind in a namespace that a label selector matches.

        Raises:
            NotFoundError: no such kind is installed.
        """
        ...

    async def list_everywhere(self, api_version: str, kind: str, selector: str) -> Sequence[Body]:
        """Return the objects of one kind in all namespaces, or of the cluster; an empty selector matches them all."""
        ...

    def list_pages(self, api_version: str, kind: str, namespace: str | None) -> AsyncIterator[Sequence[Body]]:
        """Iterate over the objects of one kind, in one namespace or in all, some hundreds at a time.

        Raises:
            NotFoundError: no such kind is installed.
        """
        ...

    async def apply(self, body: Body, field_manager: str) -> Body:
        """Server-side apply, forcing ownership; return the object as it is then."""
        ...

    async def contribute(self, body: Body, field_manager: str) -> Body:
        """Server-side apply without force: own these fields and no other, beside whoever else owns the object.

        Raises:
            ConflictError: somebody else owns one of the fields, with another value; or the uid in `body` is not the
                object's, or there is none.
        """
        ...

    async def apply_status(self, body: Body, field_manager: str) -> Body:
        """Server-side apply of the status subresource."""
        ...

    async def merge(self, reference: ObjectReference, patch: Body) -> Body:
        """Merge-patch the object; a `metadata.resourceVersion` in the patch makes it conditional.

        Raises:
            ConflictError: the object has another resourceVersion.
        """
        ...

    async def delete(self, reference: ObjectReference, uid: str, resource_version: str | None = None) -> None:
        """Delete the object with this uid, in the background; one that is gone already is a success.

        Raises:
            ConflictError: another object has the name now, or the resourceVersion differs.
        """
        ...

    async def create(self, body: Body) -> Body:
        """Create the object."""
        ...
