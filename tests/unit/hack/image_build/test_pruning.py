from pathlib import Path

from image_build.pruning import prune


def write(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_layers_and_the_store_go_and_what_is_finished_stays(tmp_path: Path) -> None:
    layer = write(tmp_path / "image-build" / "storage" / "overlay" / "1" / "file", 1 << 20)
    stored = write(tmp_path / "image-store" / "containerd" / "blob", 1 << 20)
    index = write(tmp_path / "image-store" / "index.json", 10)
    archive = write(tmp_path / "images" / "operator-1.tar", 10)
    weights = write(tmp_path / "models" / "small" / "weights", 10)
    assert prune(tmp_path) >= 2 << 20
    assert not any(path.exists() for path in (layer, stored, index))
    assert archive.exists()
    assert weights.exists()


def test_there_may_be_nothing_to_prune(tmp_path: Path) -> None:
    assert prune(tmp_path) == prune(tmp_path) == 0


def test_what_a_running_cluster_shares_is_not_counted(tmp_path: Path) -> None:
    stored = write(tmp_path / "image-store" / "containerd" / "blob", 1 << 20)
    node = tmp_path / "node"
    node.hardlink_to(stored)
    assert prune(tmp_path) == 0
    assert node.exists()
