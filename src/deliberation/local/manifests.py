"""Manifests as kubectl takes them, read into objects as the API server would keep them."""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml

from council_operator.plan.admission import check
from council_operator.plan.specs import InvalidSpecError, parse_council
from deliberation.api.v1alpha1.base import API_VERSION
from deliberation.api.v1alpha1.kinds import KINDS
from deliberation.local.faults import BadInputError
from deliberation.local.schema import find_faults, without_nulls

Body = dict[str, Any]

NAMESPACE = "default"
"""Namespace of a manifest that names none."""

_KINDS = {kind.name: kind for kind in KINDS}
_FIELDS = {"apiVersion", "kind", "metadata", "spec", "status"}
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Manifests:
    """Valid objects, in the order in which they were given; `ignored` names those of kinds that are none of ours."""

    councils: tuple[Body, ...]
    deliberations: tuple[Body, ...]
    ignored: tuple[str, ...] = ()

    def council_of(self, deliberation: Body) -> Body:
        """Return the Council that a Deliberation is put to."""
        wanted = (deliberation["metadata"]["namespace"], deliberation["spec"]["councilRef"]["name"])
        return next(council for council in self.councils if _place(council) == wanted)


def read_manifests(texts: Iterable[tuple[str, str]], namespace: str = NAMESPACE) -> Manifests:
    """Return the Councils and Deliberations of some YAML or JSON texts, each given with what to call it.

    Args:
        texts: name and content of each; a content may hold several documents, and lists of objects.
        namespace: the namespace of objects that name none.

    Raises:
        BadInputError: the API server or the operator would refuse something, or nothing is to be done.
    """
    ours, ignored, faults = [], [], []
    for source, text in texts:
        try:
            documents = tuple(_read_documents(text))
        except (yaml.YAMLError, RecursionError) as error:
            faults.append(f"{source}: no YAML: {' '.join(str(error).split())}")
            continue
        for document in documents:
            fault = _find_fault_of_shape(document)
            if fault:
                faults.append(f"{source}: {fault}")
            elif document["apiVersion"] == API_VERSION:
                ours.append(_keep(document, namespace))
            else:
                ignored.append(f"{document['kind']} {document['metadata']['name']}")
    faults += [f"{_name(body)}: {fault}" for body in ours for fault in find_faults(_KINDS[body["kind"]], body)]
    if not faults:
        faults += _find_faults_among(ours)
    if faults:
        raise BadInputError(faults)
    councils = tuple(body for body in ours if body["kind"] == "Council")
    return Manifests(councils, tuple(body for body in ours if body["kind"] == "Deliberation"), tuple(ignored))


class _Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: a date is a text, and a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twin = next((key for key in keys if keys.count(key) > 1), None)
        if twin is not None:
            raise yaml.constructor.ConstructorError(None, None, f"key {twin} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _construct_text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _construct_text)


def _read_documents(text: str) -> Iterator[Any]:
    for document in yaml.load_all(text, _Loader):
        if isinstance(document, dict) and document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from document["items"]
        elif document is not None:
            yield document


def _find_fault_of_shape(document: Any) -> str | None:  # noqa: ANN401 - YAML
    """Return why a document is no object of Kubernetes, or none of a kind that exists."""
    if not isinstance(document, dict):
        return "a document is no object: it needs apiVersion, kind, metadata and spec"
    missing = [field for field in ("apiVersion", "kind") if not isinstance(document.get(field), str)]
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if missing or not isinstance(name, str):
        return f"an object has no {(*missing, 'metadata.name')[0]}"
    return _find_fault_of_ours(document) if document["apiVersion"] == API_VERSION else None


def _find_fault_of_ours(document: Body) -> str | None:
    what = f"{document['kind']} {document['metadata']['name']}"
    unknown = sorted(str(field) for field in document.keys() - _FIELDS)
    namespace = document["metadata"].get("namespace")
    if document["kind"] not in _KINDS:
        return f"{what}: {API_VERSION} has no such kind: it has {' and '.join(_KINDS)}"
    if unknown:
        return f"{what}: {unknown[0]}: unknown field"
    if not isinstance(document.get("spec"), dict):
        return f"{what}: spec: Required value"
    if not _NAME.fullmatch(document["metadata"]["name"]):
        return f"{what}: metadata.name: must consist of lower case letters, digits, - and ."
    if namespace is not None and not (isinstance(namespace, str) and _NAMESPACE.fullmatch(namespace)):
        return f"{what}: metadata.namespace: must consist of lower case letters, digits and -"
    return None


def _keep(document: Body, namespace: str) -> Body:
    """Return an object as the API server would keep it; its uid is always the same, so that a run is repeatable."""
    metadata = document["metadata"]
    place = metadata.get("namespace") or namespace
    uid = str(uuid5(NAMESPACE_URL, f"{API_VERSION}/{document['kind']}/{place}/{metadata['name']}"))
    return {
        "apiVersion": API_VERSION,
        "kind": document["kind"],
        "metadata": {"name": metadata["name"], "namespace": place, "uid": uid, "generation": 1},
        "spec": without_nulls(document["spec"]),
    }


def _find_faults_among(bodies: list[Body]) -> Iterator[str]:
    """Yield what is wrong with valid objects as a whole, and what the operator would refuse of them."""
    names = [_name(body) for body in bodies]
    yield from (f"{name}: given more than once" for name in dict.fromkeys(names) if names.count(name) > 1)
    councils = {_place(body): body for body in bodies if body["kind"] == "Council"}
    deliberations = [body for body in bodies if body["kind"] == "Deliberation"]
    if not deliberations:
        yield "no Deliberation is given: add its file with -f"
    for council in councils.values():
        yield from _find_refusal(council, None)
    for body in deliberations:
        namespace, council_name = body["metadata"]["namespace"], body["spec"]["councilRef"]["name"]
        if (namespace, council_name) in councils:
            yield from _find_refusal(body, councils[namespace, council_name])
        else:
            text = f"spec.councilRef: no Council {council_name} of namespace {namespace} is given: add its file with -f"
            yield f"{_name(body)}: {text}"


def _find_refusal(body: Body, council: Body | None) -> Iterator[str]:
    try:
        check(body, council) if council else parse_council(body)
    except InvalidSpecError as error:
        yield f"{_name(body)}: {error}"


def _place(body: Body) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _name(body: Body) -> str:
    return f"{body['kind']} {body['metadata']['name']}"
