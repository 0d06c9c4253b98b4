"""The images that every cluster needs, made from the programs in the cache."""

from pathlib import Path
from typing import Any

from clusters import archives, programs
from clusters.archives import Archive
from clusters.node_files import PAUSE_IMAGE
from clusters.programs import Program
from clusters.progress import Progress

COREDNS_IMAGE = "council-operator.local/coredns:1"
KUBERAY_IMAGE = "council-operator.local/kuberay-operator:1"

# An image holds one program: its name, where it lies in there, and how it starts.
IMAGES: dict[Program, tuple[str, str, dict[str, Any]]] = {
    programs.PAUSE: (PAUSE_IMAGE, "/pause", {"Entrypoint": ["/pause"], "User": "65535:65535"}),
    programs.COREDNS: (COREDNS_IMAGE, "/coredns", {"Entrypoint": ["/coredns"]}),
    programs.KUBERAY: (KUBERAY_IMAGE, "/manager", {"Entrypoint": ["/manager"], "User": "65532:65532"}),
}


def provide(wanted: list[Program], cache: Path, progress: Progress) -> list[Archive]:
    """Return the image archives of these programs, building programs and writing archives that are not there.

    Raises:
        Refusal: a program is to be built on a machine that can't.
        StepFailed: a build failed.
    """
    made = []
    for program in wanted:
        folder = programs.provide(program, cache, progress)
        name, place, config = IMAGES[program]
        archive = cache / "images" / f"{folder.name}.tar"
        if archive.exists():
            made.append(archives.read(archive))
        else:
            made.append(archives.write(archive, name, {place: folder / program.name}, config))
    return made
