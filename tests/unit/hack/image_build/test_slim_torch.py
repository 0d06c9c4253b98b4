import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from image_build.recipes import REPOSITORY

pytestmark = pytest.mark.skipif(shutil.which("ld") is None, reason="binutils are not installed")

SPEC = spec_from_file_location("slim_torch", REPOSITORY / "hack/dockerfiles/vllm-cpu/slim_torch.py")
assert SPEC is not None
assert SPEC.loader is not None
slim_torch = module_from_spec(SPEC)
SPEC.loader.exec_module(slim_torch)


def link(folder: Path, name: str, source: str) -> Path:
    (folder / f"{name}.s").write_text(source)
    subprocess.run(["as", "-o", folder / f"{name}.o", folder / f"{name}.s"], check=True)
    subprocess.run(["ld", "-shared", "-o", folder / name, folder / f"{name}.o"], check=True)
    return folder / name


def test_missing_symbols_go_to_the_library_that_they_belong_to(tmp_path: Path) -> None:
    calls = "ncclSend cudnnGetProperty _ZN5torch4cuda6gatherEv provided PyList_New"
    kept = link(tmp_path, "kept.so", ".text\n" + "".join(f"call {name}@PLT\n" for name in calls.split()))
    system = link(tmp_path, "system.so", ".text\n.globl provided\nprovided: ret\n")
    assert slim_torch.find_missing([kept], [system]) == {
        "libnccl.so.2": {("ncclSend", "")},
        "libcudnn.so.9": {("cudnnGetProperty", "")},
        "libtorch_cuda.so": {("_ZN5torch4cuda6gatherEv", "")},
    }


def test_a_stub_defines_each_symbol_under_the_version_that_is_asked_for(tmp_path: Path) -> None:
    wanted = {("cuptiGetVersion", "libcupti.so.13"), ("_ZTIN4c10d3AnyE", "libcupti.so.13")}
    slim_torch.make_stub(tmp_path / "libcupti.so.13", wanted)
    assert slim_torch.read_symbols(tmp_path / "libcupti.so.13", "--defined-only") >= wanted
    assert [path.name for path in tmp_path.iterdir()] == ["libcupti.so.13"]
