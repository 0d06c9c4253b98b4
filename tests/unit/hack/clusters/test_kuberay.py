from pathlib import Path

import yaml

from clusters import kuberay
from clusters.cluster_images import KUBERAY_IMAGE


def test_the_operator_is_installed_from_the_manifests_beside_its_program() -> None:
    made = kuberay.kustomization(Path("/cache/programs/kuberay-1"), Path("/state/clusters/default/kuberay"))
    assert made["resources"] == [
        "namespace.yaml",
        "../../../../cache/programs/kuberay-1/rbac",
        "../../../../cache/programs/kuberay-1/manager",
    ]
    assert made["namespace"] == "kuberay-system"
    assert f"{made['images'][0]['newName']}:{made['images'][0]['newTag']}" == KUBERAY_IMAGE


def test_the_operator_is_slowed_down_by_no_processor_limit() -> None:
    made = kuberay.kustomization(Path("/p"), Path("/f"))
    changes = {
        change["path"].rsplit("/", 1)[1]: change["value"] for change in yaml.safe_load(made["patches"][0]["patch"])
    }
    assert "cpu" not in changes["resources"]["limits"]
    assert "--reconcile-concurrency=4" in changes["args"]


def test_crd_files_are_listed_in_order(tmp_path: Path) -> None:
    bases = tmp_path / "crd" / "bases"
    bases.mkdir(parents=True)
    for name in ("b.yaml", "a.yaml", "notes.txt"):
        (bases / name).touch()
    assert [path.name for path in kuberay.crd_files(tmp_path)] == ["a.yaml", "b.yaml"]
