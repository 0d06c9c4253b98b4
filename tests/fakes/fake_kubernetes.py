"""A fake API server in memory: names, uids, resourceVersions, owner references, finalizers; no schema, no admission.

It fakes just enough for the operator's own steps. What only a real API server can show is in tests/contract.
"""

import copy
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from council_operator.kube.port import ConflictError, ForbiddenError, NotFoundError
from council_operator.plan.actions import ObjectReference

Body = dict[str, Any]


class FakeKubernetes:
    """Implements the operator's Kubernetes port. `before_write` runs before each write and may raise."""

    def __init__(self, before_write: Callable[[], None] = lambda: None) -> None:
        self.objects: dict[ObjectReference, Body] = {}
        self.absent_kinds: set[str] = set()
        self.forbidden_kinds: set[str] = set()
        self.before_write = before_write
        self.writes: list[tuple[str, str, str]] = []
        self._serial = itertools.count(1)
        self._contributed: dict[tuple[ObjectReference, str], dict[tuple[str, str], str]] = {}

    def put(self, body: Body) -> Body:
        """Have a user create or replace an object."""
        reference = reference_of(body)
        known = self.objects.get(reference, {"metadata": {"uid": f"uid-{next(self._serial)}", "generation": 0}})
        stored = copy.deepcopy(body)
        stored["metadata"] = {**known["metadata"], **stored["metadata"]}
        stored["metadata"]["generation"] = known["metadata"]["generation"] + 1
        stored.setdefault("status", known.get("status", {"observedGeneration": -1}))
        self._store(reference, stored)
        return stored

    def begin_deletion(self, reference: ObjectReference, at: str = "2026-01-01T00:00:00Z") -> None:
        """Have a user delete an object: it stays while it has finalizers."""
        body = self.objects[reference]
        body["metadata"]["deletionTimestamp"] = at
        self._collect(reference)

    async def find(self, reference: ObjectReference) -> Body | None:
        return copy.deepcopy(self.objects.get(reference))

    async def list_labelled(self, api_version: str, kind: str, namespace: str, selector: str) -> Sequence[Body]:
        if kind in self.absent_kinds:
            raise NotFoundError(404, "NotFound", f"no kind {kind} in {api_version}")
        listed = await self.list_everywhere(api_version, kind, selector)
        return [body for body in listed if body["metadata"]["namespace"] == namespace]

    async def list_everywhere(self, api_version: str, kind: str, selector: str) -> Sequence[Body]:
        if kind in self.forbidden_kinds:
            raise ForbiddenError(403, "Forbidden", f"may not list {kind} in {api_version}")
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        return [
            copy.deepcopy(body)
            for reference, body in self.objects.items()
            if reference.kind == kind and wanted.items() <= body["metadata"].get("labels", {}).items()
        ]

    async def list_pages(self, api_version: str, kind: str, namespace: str | None) -> AsyncIterator[Sequence[Body]]:
        if kind in self.absent_kinds:
            raise NotFoundError(404, "NotFound", f"no kind {kind} in {api_version}")
        for body in await self.list_everywhere(api_version, kind, ""):
            if namespace in {None, body["metadata"]["namespace"]}:
                yield [body]

    async def apply(self, body: Body, field_manager: str) -> Body:
        self._write("apply", body["kind"], body["metadata"]["name"])
        if body["kind"] in self.absent_kinds:
            raise NotFoundError(404, "NotFound", f"no kind {body['kind']}")
        reference = reference_of(body)
        known = self.objects.get(reference)
        merged = _merge(known, body) if known else copy.deepcopy(body)
        merged["metadata"].setdefault("uid", f"uid-{next(self._serial)}")
        merged["metadata"].setdefault("generation", 1)
        self._store(reference, merged)
        assert field_manager
        return copy.deepcopy(merged)

    async def contribute(self, body: Body, field_manager: str) -> Body:
        """Own labels, annotations and data, each by itself, unless somebody else has another value there."""
        self._write("contribute", body["kind"], body["metadata"]["name"])
        reference = reference_of(body)
        known = self.objects.get(reference)
        if known is None or known["metadata"]["uid"] != body["metadata"].get("uid"):
            raise ConflictError(409, "Conflict", "uid mismatch")
        owned = self._contributed.get((reference, field_manager), {})
        wanted = _leaves(body)
        for (part, name), value in wanted.items():
            present = _part(known, part).get(name)
            if present not in {None, value, owned.get((part, name))}:
                raise ConflictError(409, "Conflict", f"conflict with somebody else over {name}")
        for (part, name), value in owned.items():
            if (part, name) not in wanted and _part(known, part).get(name) == value:
                del _part(known, part)[name]
        for (part, name), value in wanted.items():
            _part(known, part)[name] = value
        self._contributed[reference, field_manager] = wanted
        self._store(reference, known)
        return copy.deepcopy(known)

    async def apply_status(self, body: Body, field_manager: str) -> Body:
        self._write("status", body["kind"], body["metadata"]["name"])
        reference = reference_of(body)
        known = self.objects.get(reference)
        if known is None:
            raise NotFoundError(404, "NotFound", reference.name)
        if known["metadata"]["uid"] != body["metadata"]["uid"]:
            raise ConflictError(409, "Conflict", "uid differs")
        known["status"] = copy.deepcopy(body["status"])
        self._store(reference, known)
        assert field_manager
        return copy.deepcopy(known)

    async def merge(self, reference: ObjectReference, patch: Body) -> Body:
        self._write("merge", reference.kind, reference.name)
        known = self.objects.get(reference)
        if known is None:
            raise NotFoundError(404, "NotFound", reference.name)
        version = patch["metadata"].pop("resourceVersion", None)
        if version is not None and version != known["metadata"]["resourceVersion"]:
            raise ConflictError(409, "Conflict", "the object has been modified")
        known["metadata"].update(copy.deepcopy(patch["metadata"]))
        self._store(reference, known)
        self._collect(reference)
        return copy.deepcopy(known)

    async def delete(self, reference: ObjectReference, uid: str, resource_version: str | None = None) -> None:
        self._write("delete", reference.kind, reference.name)
        known = self.objects.get(reference)
        if known is None:
            return
        metadata = known["metadata"]
        if metadata["uid"] != uid or resource_version not in {None, metadata["resourceVersion"]}:
            raise ConflictError(409, "Conflict", "another object, or it has been modified")
        del self.objects[reference]

    async def create(self, body: Body) -> Body:
        self._write("create", body["kind"], body["metadata"].get("name", body["metadata"].get("generateName", "")))
        stored = copy.deepcopy(body)
        stored["metadata"].setdefault("name", f"{body['metadata'].get('generateName', '')}{next(self._serial)}")
        self._store(reference_of(stored), stored)
        return stored

    def _write(self, verb: str, kind: str, name: str) -> None:
        self.before_write()
        self.writes.append((verb, kind, name))

    def _store(self, reference: ObjectReference, body: Body) -> None:
        body["metadata"]["resourceVersion"] = str(next(self._serial))
        self.objects[reference] = body

    def _collect(self, reference: ObjectReference) -> None:
        metadata = self.objects[reference]["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            del self.objects[reference]


def reference_of(body: Body) -> ObjectReference:
    metadata = body["metadata"]
    return ObjectReference(body["apiVersion"], body["kind"], metadata.get("namespace", ""), metadata["name"])


def _merge(known: Body, body: Body) -> Body:
    merged = {**copy.deepcopy(known), **copy.deepcopy(body)}
    owners = {owner["uid"]: owner for owner in known["metadata"].get("ownerReferences", [])}
    owners |= {owner["uid"]: owner for owner in body["metadata"].get("ownerReferences", [])}
    merged["metadata"] = {**known["metadata"], **body["metadata"]}
    merged["metadata"]["ownerReferences"] = list(owners.values())
    merged["status"] = known.get("status", {})
    return merged


def _part(body: Body, part: str) -> Body:
    """Return the labels, annotations or data of an object, to be changed."""
    holder: Body = body if part == "data" else body["metadata"]
    values: Body = holder.setdefault(part, {})
    return values


def _leaves(body: Body) -> dict[tuple[str, str], str]:
    parts = {"data": body.get("data", {})} | {
        name: body["metadata"].get(name, {}) for name in ("labels", "annotations")
    }
    return {(part, name): value for part, values in parts.items() for name, value in values.items()}
