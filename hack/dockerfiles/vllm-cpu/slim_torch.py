"""Take the CUDA half out of an installed torch, so that what runs on a CPU stays and 600 MB go.

Usage: slim_torch.py SITE_PACKAGES

FOR TESTS AND THE DEMO ONLY. The index that everybody reaches has torch for Linux only as a CUDA build. Its Python
bindings are linked against CUDA libraries that a machine without a GPU loads and never calls. Each of those
libraries is replaced by a stub that defines exactly the symbols the kept libraries ask for; a stub that is called
all the same ends the program by an illegal instruction, because a wrong answer would be worse. A few symbols are
used while torch is imported and need a body that does no harm.
"""

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

KEPT = [
    "libtorch_python.so",
    "libtorch_cpu.so",
    "libtorch.so",
    "libtorch_global_deps.so",
    "libshm.so",
    "libc10.so",
    "libc10_cuda.so",
    "libgomp.so.1",
]
SYSTEM = [
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
]
# The first prefix that fits says which library a missing symbol belongs to; C++ names are of torch's CUDA library.
STUB_OF_PREFIX = {
    "cudnn": "libcudnn.so.9",
    "cuFile": "libcufile.so.0",
    "cupti": "libcupti.so.13",
    "nccl": "libnccl.so.2",
    "_Z": "libtorch_cuda.so",
}
USELESS_LIBRARIES = ["libtorch_cuda_linalg.so", "libtorch_nvshmem.so", "libcaffe2_nvrtc.so"]
USELESS_FOLDERS = ["include", "share", "test"]
# Where the size is. Not all: `strip` breaks libraries that were patched when their wheel was made (numpy's are).
STRIPPED_PACKAGES = ["torch", "vllm"]

# Symbols that `import torch` calls, and what it may safely be told.
RETURNS_STORAGE = "get_gil_checker"
RETURNS_ZERO = "is_nvshmem_available"
CONSTRUCTS_OPTIONS = "7OptionsC1Eb"


def read_symbols(library: Path, which: str) -> set[tuple[str, str]]:
    """Return (name, version) of the dynamic symbols of one kind, `--undefined-only` or `--defined-only`.

    The version is "" where the symbol has none. Weak undefined symbols are left out: nothing needs to define them.
    """
    command = ["nm", "--dynamic", "--with-symbol-versions", which, str(library)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    symbols = set()
    for line in listing.splitlines():
        *_, kind, name = line.split()
        if kind not in "wv":
            bare, _, version = name.partition("@")
            symbols.add((bare, version.lstrip("@")))
    return symbols


def find_missing(libraries: list[Path], system: list[Path]) -> dict[str, set[tuple[str, str]]]:
    """Group the symbols that no kept library defines by the stub that has to define them."""
    defined = {name for library in [*libraries, *system] for name, _ in read_symbols(library, "--defined-only")}
    missing = defaultdict(set)
    for library in libraries:
        for name, version in read_symbols(library, "--undefined-only"):
            stub = next((stub for prefix, stub in STUB_OF_PREFIX.items() if name.startswith(prefix)), None)
            if stub and name not in defined:
                missing[stub].add((name, version))
    return missing


def write_symbol(name: str) -> str:
    """Return the assembly of one stub symbol for x86-64."""
    head = f".globl {name}\n.type {name},@"
    if name.startswith("_ZTI"):  # typeinfo: pybind11 compares its name while torch is imported
        body = f"object\n{name}: .quad _ZTVN10__cxxabiv117__class_type_infoE+16\n.quad .Ln_{name}\n.zero 64\n"
        return f'.section .data.rel,"aw"\n.balign 16\n{head}{body}.Ln_{name}: .asciz "{name[4:]}"\n.text'
    if name.startswith("_ZTV"):  # vtable: only its address is taken
        return f".data\n.balign 16\n{head}object\n{name}: .zero 512\n.text"
    if RETURNS_STORAGE in name:
        storage = f"lea .Ls_{name}(%rip),%rax\nret\n.data\n.balign 16\n.Ls_{name}: .zero 256\n.text"
        return f"{head}function\n{name}: {storage}"
    if CONSTRUCTS_OPTIONS in name:
        return f"{head}function\n{name}: {write_constructor(name)}"
    return f"{head}function\n{name}: {'xor %eax,%eax; ret' if RETURNS_ZERO in name else 'ud2'}"


def write_constructor(name: str) -> str:
    """Return a constructor that gives the object a vtable whose every entry does nothing."""
    table = (
        f'.Lr_{name}: ret\n.section .data.rel,"aw"\n.balign 16\n'
        f".Li_{name}: .quad _ZTVN10__cxxabiv117__class_type_infoE+16, .Lm_{name}\n"
        f".Lv_{name}: .quad 0, .Li_{name}{f', .Lr_{name}' * 16}\n"
        f'.Lm_{name}: .asciz "stub"\n.text'
    )
    return f"lea .Lv_{name}+16(%rip),%rax; mov %rax,(%rdi); ret\n{table}"


def make_stub(destination: Path, symbols: set[tuple[str, str]]) -> None:
    """Assemble and link one stub library that defines the symbols under the versions they are asked for."""
    source = destination.with_suffix(".s")
    lines = [".text", *(write_symbol(name) for name, _ in sorted(symbols)), '.section .note.GNU-stack,"",@progbits', ""]
    source.write_text("\n".join(lines))
    versions = destination.with_suffix(".map")
    versions.write_text("".join(f"{v} {{ global: *; }};\n" for v in sorted({v for _, v in symbols if v})))
    options = ["-shared", "-soname", destination.name]
    if versions.stat().st_size:
        options.append(f"--version-script={versions}")
    built = destination.with_suffix(".o")
    subprocess.run(["as", "-o", str(built), str(source)], check=True)
    subprocess.run(["ld", *options, "-o", str(destination), str(built)], check=True)
    for scratch in (source, versions, built):
        scratch.unlink()


def main(site: Path) -> None:
    """Replace the CUDA libraries of the torch in `site`, delete what serves only to build or test, strip the rest."""
    torch = site / "torch"
    cudart = next((site / "nvidia").glob("*/lib/libcudart.so.*"))
    kept = [torch / "lib" / name for name in KEPT] + [cudart]
    for stub, symbols in find_missing(kept, [Path("/lib/x86_64-linux-gnu") / name for name in SYSTEM]).items():
        make_stub(torch / "lib" / stub, symbols)
        sys.stdout.write(f"{stub}: a stub of {len(symbols)} symbols\n")
    for name in USELESS_LIBRARIES:
        (torch / "lib" / name).unlink(missing_ok=True)
    for name in USELESS_FOLDERS:
        shutil.rmtree(torch / name, ignore_errors=True)
    for archive in site.rglob("*.a"):
        archive.unlink()
    for package in STRIPPED_PACKAGES:
        for library in (site / package).rglob("*.so"):
            subprocess.run(["strip", "--strip-unneeded", str(library)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
