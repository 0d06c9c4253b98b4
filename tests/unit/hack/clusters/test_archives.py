import io
import json
import tarfile
from pathlib import Path

import pytest

from clusters import archives
from clusters.errors import Refusal


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("a", "docker.io/library/a:latest"),
        ("a:1", "docker.io/library/a:1"),
        ("council-operator/x:1", "docker.io/council-operator/x:1"),
        ("localhost/x:1", "localhost/x:1"),
        ("registry.example:5000/x", "registry.example:5000/x:latest"),
        ("council-operator.local/pause:1", "council-operator.local/pause:1"),
    ],
)
def test_full_name(name: str, full: str) -> None:
    assert archives.full_name(name) == full


def test_what_is_written_can_be_read_and_has_the_files(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    written = archives.write(
        tmp_path / "deep" / "x.tar", "council-operator/x:1", {"/bin/program": program}, {"User": "1"}
    )
    assert written.names == ("docker.io/council-operator/x:1",)
    assert archives.read(written.path) == written
    with tarfile.open(written.path) as archive:
        (image,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        settings = json.load(archive.extractfile(image["Config"]))  # type: ignore[arg-type]
        layer = io.BytesIO(archive.extractfile(image["Layers"][0]).read())  # type: ignore[union-attr]
    assert settings["config"] == {"User": "1"}
    with tarfile.open(fileobj=layer) as content:
        (entry,) = content.getmembers()
        assert (entry.name, entry.mode) == ("bin/program", 0o755)
    assert [path.name for path in written.path.parent.iterdir()] == ["x.tar"]


def test_the_same_content_has_the_same_digest_and_other_content_another(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"one")
    first = archives.write(tmp_path / "1.tar", "x:1", {"/p": program}, {})
    again = archives.write(tmp_path / "2.tar", "x:1", {"/p": program}, {})
    program.write_bytes(b"two")
    other = archives.write(tmp_path / "3.tar", "x:1", {"/p": program}, {})
    assert first.path.read_bytes() == again.path.read_bytes()
    assert first.digest == again.digest != other.digest


def test_an_archive_as_newer_docker_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    manifest = json.dumps([{"Config": "blobs/sha256/abc", "RepoTags": ["x:1"], "Layers": []}]).encode()
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(manifest)
        archive.addfile(entry, io.BytesIO(manifest))
    assert archives.read(path).digest == "sha256:abc"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"There is no file .*x\.tar"):
        archives.read(tmp_path / "x.tar")


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(Refusal, match="no archive of one image"):
        archives.read(path)
