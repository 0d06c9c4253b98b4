import json
from pathlib import Path

from clusters.archives import Archive
from clusters.image_store import ImageStore


def archive(name: str, digest: str) -> Archive:
    return Archive(Path(f"{name}.tar"), (name,), digest)


def test_what_has_another_content_is_missing(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    one, changed, new = archive("a:1", "sha256:1"), archive("b:1", "sha256:new"), archive("c:1", "sha256:3")
    assert store.missing([one]) == [one]
    store.folder.mkdir()
    store.index.write_text(json.dumps({"a:1": "sha256:1", "b:1": "sha256:old"}))
    assert store.missing([one, changed, new]) == [changed, new]


def test_a_node_gets_links_to_content_and_databases_of_its_own(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    (store.root / "content").mkdir(parents=True)
    (store.root / "content" / "blob").write_text("layer")
    (store.root / "meta.db").write_text("names")
    store.give(tmp_path / "node")
    content, database = tmp_path / "node" / "content" / "blob", tmp_path / "node" / "meta.db"
    assert content.samefile(store.root / "content" / "blob")
    assert not database.samefile(store.root / "meta.db")
    database.write_text("changed")
    assert (store.root / "meta.db").read_text() == "names"
