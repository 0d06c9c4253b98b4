import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from clusters.errors import Refusal, StepFailed
from image_build.engines import Order
from image_build.pip_settings import PipSettings
from image_build.recipes import MODEL, MODEL_SETTINGS, REPOSITORY, Recipe, read_recipes
from image_build.store import GIBIBYTE, Store


class FakeEngine:
    """Writes what it was asked to build instead of building it, or fails."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.secrets: dict[str, Path] = {}
        self.fails = False

    def build_archive(self, order: Order, archive: Path) -> None:
        self.built.append(order.recipe.name)
        self.secrets = dict(order.secrets)
        assert all(path.is_file() for path in order.secrets.values())
        assert (order.context / order.recipe.dockerfile).is_file()
        archive.write_text("half")
        if self.fails:
            raise StepFailed("building", "the engine said no")
        archive.write_text("whole")

    def build_folder(self, order: Order, folder: Path, base: Path) -> None:
        assert base.read_text() == "whole"
        self.built.append(order.recipe.name)
        folder.mkdir(mode=0o700)
        (folder / "model.safetensors").touch(mode=0o600)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def store(tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("image_build.store.read_settings", lambda: PipSettings("[global]", None))
    repository = tmp_path / "repository"
    for recipe in (*read_recipes().values(), MODEL):
        for file in (recipe.dockerfile, "pyproject.toml", *recipe.sources, *MODEL_SETTINGS):
            if (REPOSITORY / file).is_file():
                (repository / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / file, repository / file)
    (repository / "src/deliberation/code.py").write_text("pass")
    return Store(tmp_path / "cache", repository, lambda _: engine)


@pytest.fixture
def runner(store: Store) -> Recipe:
    return read_recipes(store.repository)["runner"]


def test_an_image_is_built_once(store: Store, engine: FakeEngine, runner: Recipe) -> None:
    archive = store.build(runner)
    assert archive == store.archive(runner)
    assert archive.read_text() == "whole"
    assert store.build(runner) == archive
    assert engine.built == ["runner"]


def test_a_changed_source_builds_anew_and_replaces_only_that_images_archive(store: Store, runner: Recipe) -> None:
    before = store.build(runner)
    neighbour = store.build(read_recipes(store.repository)["nats"])
    for archive in (before, neighbour):
        os.utime(archive, (0, 0))
    (store.repository / "src/deliberation/code.py").write_text("changed")
    assert not store.archive(runner).exists()
    after = store.build(runner)
    assert after != before
    assert sorted(before.parent.iterdir()) == sorted([neighbour, after])


def test_an_archive_that_another_working_tree_may_be_about_to_load_stays(store: Store, runner: Recipe) -> None:
    before = store.build(runner)
    (store.repository / "src/deliberation/code.py").write_text("changed")
    after = store.build(runner)
    assert sorted(before.parent.iterdir()) == sorted([before, after])


def test_a_failed_build_leaves_no_archive_and_no_scratch(store: Store, engine: FakeEngine, runner: Recipe) -> None:
    engine.fails = True
    with pytest.raises(StepFailed, match="the engine said no"):
        store.build(runner)
    assert not store.archive(runner).exists()
    assert [path.name for path in (store.cache / "image-build").iterdir()] == ["orders"]


def test_pips_settings_are_gone_after_the_build(store: Store, engine: FakeEngine, runner: Recipe) -> None:
    store.build(runner)
    assert not engine.secrets["pip.conf"].exists()


def test_too_little_disk_is_refused_before_anything_is_built(
    store: Store, engine: FakeEngine, runner: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=runner.gibibytes * GIBIBYTE - 1))
    with pytest.raises(Refusal, match=r"Building runner takes up to 3 GiB, and 3.0 GiB are free(.|\n)*XDG_CACHE_HOME"):
        store.build(runner)
    assert engine.built == []


def test_the_model_is_made_once_on_top_of_its_server_and_readable_by_all(store: Store, engine: FakeEngine) -> None:
    folder = store.prepare_model()
    assert folder == store.cache / "models" / "gemma3-270m"
    assert (folder.stat().st_mode & 0o777, (folder / "model.safetensors").stat().st_mode & 0o777) == (0o755, 0o644)
    assert store.prepare_model() == folder
    assert engine.built == ["vllm-cpu", "model"]


def test_another_image_of_the_server_leaves_the_model_as_it_is(store: Store, engine: FakeEngine) -> None:
    store.prepare_model()
    (store.repository / "hack/dockerfiles/vllm-cpu/slim_torch.py").write_text("changed")
    store.prepare_model()
    assert engine.built == ["vllm-cpu", "model"]


def test_a_changed_conversion_makes_the_model_anew(store: Store, engine: FakeEngine) -> None:
    store.prepare_model()
    (store.repository / "hack/dockerfiles/model/convert.py").write_text("changed")
    store.prepare_model()
    assert engine.built == ["vllm-cpu", "model", "model"]


def test_a_changed_chat_template_reaches_the_model_without_a_new_conversion(store: Store, engine: FakeEngine) -> None:
    folder = store.prepare_model()
    (store.repository / "hack/dockerfiles/model/chat_template.jinja").write_text("changed")
    store.prepare_model()
    assert (folder / "chat_template.jinja").read_text() == "changed"
    assert (folder / "generation_config.json").stat().st_mode & 0o777 == 0o644
    assert engine.built == ["vllm-cpu", "model"]
