"""Write the CustomResourceDefinitions from the API's models; `hack/generate` runs this."""

import sys
from typing import Any

import yaml

from crd_schema import build_schema
from deliberation.api import GROUP
from deliberation.api.v1alpha1.base import API_VERSION, rules
from deliberation.api.v1alpha1.kinds import KINDS, Column, Kind
from generated import COMMAND, main

HEADER = f"# Made by {COMMAND} from src/deliberation/api. Change the models, not this file.\n"
FOLDERS = ("crds", "charts/council-operator/files/crds")
"""Where the definitions lie: for kubectl and kustomize, and for the chart, which can't read outside its folder."""

CATEGORY = "council-operator"
"""What `kubectl get` calls both kinds together. Not `councils`: that is the plural of one kind already, and
`kubectl delete councils` would delete Deliberations too."""

UNOBSERVED = {"observedGeneration": -1}
"""Status of an object that the operator has not seen yet, so that tools which wait for it don't take it for ready."""


def build_definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    version = {
        "name": API_VERSION.removeprefix(f"{GROUP}/"),
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": _object_schema(kind)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition_name(kind)},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "versions": [version],
        },
    }


def definition_name(kind: Kind) -> str:
    """Return the name of a kind's CustomResourceDefinition."""
    return f"{kind.plural}.{GROUP}"


def build_files() -> dict[str, str]:
    """Return the content of every generated file by its path in the repository."""
    definitions = {f"{GROUP}_{kind.plural}.yaml": HEADER + _to_yaml(build_definition(kind)) for kind in KINDS}
    files = {f"{folder}/{name}": content for folder in FOLDERS for name, content in definitions.items()}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(definitions),
    }
    return {**files, "crds/kustomization.yaml": HEADER + _to_yaml(kustomization)}


def _object_schema(kind: Kind) -> dict[str, Any]:
    return {
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": build_schema(kind.spec, with_defaults=True),
            "status": {**build_schema(kind.status, with_defaults=False), "default": UNOBSERVED},
        },
        **(rules(*kind.rules) if kind.rules else {}),
    }


def _column(column: Column) -> dict[str, Any]:
    body: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        body["description"] = column.description
    if column.wide:
        body["priority"] = 1
    return body


class _PlainDumper(yaml.SafeDumper):
    """Writes equal parts out each time: an anchor would make the file unreadable."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _to_yaml(body: dict[str, Any]) -> str:
    text: str = yaml.dump(body, Dumper=_PlainDumper, sort_keys=False, width=120, allow_unicode=True)
    return text


if __name__ == "__main__":
    sys.exit(main(build_files()))
