from pathlib import Path

from clusters import mount_points


def test_only_what_was_made_is_removed(tmp_path: Path) -> None:
    record, had, missing = tmp_path / "record.json", tmp_path / "had", tmp_path / "missing"
    had.mkdir()
    mount_points.make([had, missing], record)
    assert missing.is_dir()
    mount_points.remove(record, [])
    assert had.is_dir()
    assert not missing.exists()
    assert not record.exists()


def test_what_another_node_mounts_over_stays_until_it_goes(tmp_path: Path) -> None:
    record, folder, table = tmp_path / "record.json", tmp_path / "kubelet", tmp_path / "mountinfo"
    table.write_text(f"36 35 98:0 /own {folder} rw,noatime shared:1 - ext4 /dev/vda rw\n")
    mount_points.make([folder], record)
    mount_points.remove(record, [table, tmp_path / "ended"])
    assert folder.is_dir()
    mount_points.remove(record, [])
    assert not folder.exists()
    assert not record.exists()


def test_a_folder_that_holds_something_is_somebody_elses(tmp_path: Path) -> None:
    record, folder = tmp_path / "record.json", tmp_path / "kubelet"
    mount_points.make([folder], record)
    (folder / "file").touch()
    mount_points.remove(record, [])
    assert (folder / "file").exists()
    assert not record.exists()


def test_removing_when_nothing_was_made(tmp_path: Path) -> None:
    mount_points.remove(tmp_path / "record.json", [])
