from pathlib import Path
from threading import Thread

import pytest

from clusters.errors import Refusal
from clusters.locks import locked
from image_build import engines
from image_build.engines import Buildah, Docker, Order, choose_engine
from image_build.recipes import Recipe

RECIPE = Recipe(name="sample", tag="1", dockerfile="app/Dockerfile", sources=(), gibibytes=1)
ORDER = Order(RECIPE, Path("/context"), {"pip.conf": Path("/scratch/pip.conf")})


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record what would be run."""
    ran: list[list[str]] = []
    monkeypatch.setattr(engines, "run", lambda arguments, **_: ran.append([str(part) for part in arguments]))
    monkeypatch.setattr(engines, "answers", lambda _: False)
    monkeypatch.setattr(engines, "build_base", lambda cache: cache / "bookworm" / "base.tar")
    return ran


def test_settings_reach_the_build_as_secrets_and_never_as_build_arguments() -> None:
    arguments = ORDER.arguments("debian")
    assert arguments[-1] == "/context"
    assert arguments[arguments.index("--secret") + 1] == "id=pip.conf,src=/scratch/pip.conf"
    assert [arguments[i + 1] for i, word in enumerate(arguments) if word == "--build-arg"] == ["BASE=debian"]
    assert "--build-arg" not in ORDER.arguments()


def test_docker_builds_and_saves(commands: list[list[str]]) -> None:
    Docker().build_archive(ORDER, Path("/cache/sample.tar"))
    assert [command[:2] for command in commands] == [["docker", "build"], ["docker", "save"]]
    assert commands[0][-1] == "/context"
    assert commands[1][2:] == ["--output", "/cache/sample.tar", "council-operator/sample:1"]


def test_buildah_keeps_everything_in_its_folder_and_ends_with_its_namespaces(
    commands: list[list[str]], tmp_path: Path
) -> None:
    Buildah(tmp_path).build_archive(ORDER, Path("/images/sample.tar"))
    for command in commands:
        assert command[0] == "unshare"
        assert {"--mount", "--pid", "--kill-child=KILL"} < set(command)
        assert command[command.index("buildah") + 1 :][:4] == [
            "--root",
            f"{tmp_path}/storage",
            "--runroot",
            f"{tmp_path}/run",
        ]
    assert commands[-1][-2:] == [
        "council-operator/sample:1",
        "docker-archive:/images/sample.tar:council-operator/sample:1",
    ]


def test_what_an_interrupted_build_left_is_cleared_first(commands: list[list[str]], tmp_path: Path) -> None:
    Buildah(tmp_path).build_archive(ORDER, Path("/images/sample.tar"))
    assert [command[-2:] for command in commands].index(["rm", "--all"]) < next(
        number for number, command in enumerate(commands) if "/context" in command
    )


def test_a_build_waits_for_the_one_at_work_and_says_so(
    commands: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = Thread(target=Buildah(tmp_path).build_archive, args=(ORDER, Path("/images/sample.tar")))
    with locked(tmp_path / "in-use"):
        build.start()
        said = ""
        while "waiting for it" not in said:
            said += capsys.readouterr().err
        assert not any("/context" in command for command in commands)
    build.join()
    assert any("/context" in command for command in commands)


def test_without_an_engine_only_root_can_build(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Refusal, match=r"only root can build without one(.|\n)*Start Docker"):
        choose_engine(Path("/cache"))
    assert commands == []


def test_without_apt_get_the_missing_programs_are_named(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/unshare" if name == "unshare" else None)
    with pytest.raises(Refusal, match="needs buildah and debootstrap"):
        choose_engine(Path("/cache"))
    assert commands == []


def test_missing_programs_are_installed_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "buildah" else f"/usr/bin/{name}")
    assert isinstance(choose_engine(Path("/cache")), Buildah)
    assert commands[-1][-1] == "buildah"
    assert "installing buildah by apt-get" in capsys.readouterr().out
