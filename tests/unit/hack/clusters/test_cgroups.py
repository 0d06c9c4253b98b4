from pathlib import Path

from clusters import cgroups


def test_version_1_has_the_cgroup_in_every_hierarchy_with_processors_and_memory(tmp_path: Path) -> None:
    for hierarchy in ("cpu", "cpuset"):
        (tmp_path / hierarchy).mkdir()
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset" / "cpuset.mems").write_text("0\n")
    cgroups.make("/council0/n1", tmp_path)
    assert (tmp_path / "cpu" / "council0" / "n1").is_dir()
    assert not (tmp_path / "cpu" / "council0" / "n1" / "cpuset.cpus").exists()
    assert (tmp_path / "cpuset" / "council0" / "cpuset.cpus").read_text() == "0-1\n"
    assert (tmp_path / "cpuset" / "council0" / "n1" / "cpuset.mems").read_text() == "0\n"


def test_version_2_delegates_every_controller(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    cgroups.make("/council0", tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"
    assert (tmp_path / "council0").is_dir()


def test_removing_takes_all_below_and_leaves_the_neighbours(tmp_path: Path) -> None:
    (tmp_path / "cpu" / "council0" / "n1" / "pod").mkdir(parents=True)
    (tmp_path / "cpu" / "council1").mkdir()
    cgroups.remove("/council0", tmp_path)
    assert [path.name for path in (tmp_path / "cpu").iterdir()] == ["council1"]


def test_removing_what_is_not_there_is_fine(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    cgroups.remove("/council0", tmp_path)
