from pathlib import Path

import pytest

from clusters import record
from clusters.errors import Refusal
from clusters.record import Cluster


def cluster(folder: Path) -> Cluster:
    return Cluster(folder, "native", 2, kuberay=True, kubernetes="v1.37.2", index=3)


def test_what_is_saved_can_be_loaded(tmp_path: Path) -> None:
    saved = cluster(tmp_path / "second")
    saved.save()
    cluster(tmp_path / "first").save()
    assert record.load(tmp_path / "second") == saved
    assert [found.name for found in record.load_all(tmp_path)] == ["first", "second"]
    assert saved.plan.link == "council3"


def test_an_unknown_cluster_is_refused_with_the_names_of_those_there_are(tmp_path: Path) -> None:
    cluster(tmp_path / "first").save()
    with pytest.raises(Refusal, match=r"no cluster 'third'.*\n.*first"):
        record.load(tmp_path / "third")


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / record.RECORD).write_text("{")
    with pytest.raises(Refusal, match="damaged"):
        record.load(tmp_path / "x")
