from pathlib import Path

import pytest

from image_build import sources
from image_build.recipes import Recipe

RECIPE = Recipe(
    name="sample", tag="1", dockerfile="app/Dockerfile", sources=("requirements.txt", "app", "absent"), gibibytes=1
)
FILES = {
    "app/Dockerfile": "FROM scratch",
    "app/inner/code.py": "pass",
    "app/inner/Dockerfile": "of another image",
    "app/__pycache__/code.pyc": "compiled",
    "requirements.txt": "kopf",
    "unrelated.txt": "x",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_build_sees_its_dockerfile_and_its_sources_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    sources.lay_out(repository, RECIPE, context)
    seen = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    assert seen == {"app/Dockerfile", "app/inner/code.py", "requirements.txt"}
    assert (context / "requirements.txt").stat().st_mtime == (repository / "requirements.txt").stat().st_mtime


@pytest.mark.parametrize("changed", ["app/Dockerfile", "app/inner/code.py", "requirements.txt"])
def test_the_digest_changes_with_every_file_that_goes_in(repository: Path, changed: str) -> None:
    before = sources.digest(repository, RECIPE, "base")
    (repository / changed).write_text("changed")
    assert sources.digest(repository, RECIPE, "base") != before


def test_the_digest_changes_with_base_name_and_a_files_name(repository: Path) -> None:
    before = sources.digest(repository, RECIPE, "base")
    assert sources.digest(repository, RECIPE, "other") != before
    (repository / "app/inner/code.py").rename(repository / "app/inner/renamed.py")
    assert sources.digest(repository, RECIPE, "base") != before


@pytest.mark.parametrize("changed", ["unrelated.txt", "app/inner/Dockerfile", "app/__pycache__/code.pyc"])
def test_the_digest_ignores_what_does_not_go_in(repository: Path, changed: str) -> None:
    before = sources.digest(repository, RECIPE, "base")
    (repository / changed).write_text("changed")
    assert sources.digest(repository, RECIPE, "base") == before
    assert len(before) == sources.DIGEST_LENGTH
