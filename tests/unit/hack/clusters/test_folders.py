from pathlib import Path

import pytest

from clusters import folders
from clusters.errors import Refusal


def test_folders_follow_the_xdg_specification() -> None:
    default = folders.from_environment({"HOME": "/home/ada"})
    assert default.cache == Path("/home/ada/.cache/council-operator")
    assert default.clusters == Path("/home/ada/.local/state/council-operator/clusters")
    assert default.models == Path("/home/ada/.cache/council-operator/models")
    chosen = folders.from_environment({"HOME": "/home/ada", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"})
    assert (chosen.cache, chosen.cluster("x")) == (Path("/c/council-operator"), Path("/s/council-operator/clusters/x"))


@pytest.mark.parametrize("name", ["a", "default", "a-1", "a" * 20])
def test_good_names(name: str) -> None:
    assert folders.from_environment({"HOME": "/h"}).cluster(name).name == name


@pytest.mark.parametrize("name", ["", "A", "1a", "-a", "a-", "a_b", "a/b", "..", "a" * 21, "a\n"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(Refusal, match="can't be the name of a cluster"):
        folders.from_environment({"HOME": "/h"}).cluster(name)
