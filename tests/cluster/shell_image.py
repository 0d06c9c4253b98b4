"""An image with a few of this machine's own programs, for pods of tests: nothing is downloaded."""

import re
import shutil
import subprocess
from pathlib import Path

from clusters import archives
from clusters.archives import Archive


def write(target: Path, name: str, programs: tuple[str, ...] = ("sh", "sleep", "echo", "getent")) -> Archive:
    """Write an archive of an image that holds these programs and the libraries that they load."""
    files: dict[str, Path] = {}
    for program in programs:
        path = shutil.which(program)
        assert path is not None
        files[f"/bin/{program}"] = Path(path).resolve()
        loaded = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        files |= {library: Path(library).resolve() for library in re.findall(r"(/\S+) \(0x", loaded)}
    return archives.write(target, name, files, {"Cmd": ["sleep", "infinity"], "Env": ["PATH=/bin"]})
