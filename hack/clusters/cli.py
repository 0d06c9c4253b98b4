"""The command `hack/cluster`: results on standard output, progress and refusals on standard error."""

import argparse
import os
import signal
import sys

from clusters import commands, folders, kuberay, programs, record
from clusters.errors import Refusal, StepFailed
from clusters.lifecycle import Clusters, Wish, describe
from clusters.progress import Progress

INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status: 0 done, 1 a step failed, 2 refused, 130 interrupted."""
    wanted = parser().parse_args(arguments)
    clusters = Clusters(folders.from_environment(), Progress())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, commands.interrupt)
    try:
        return COMMANDS[wanted.command](clusters, wanted)
    except Refusal as refusal:
        print(f"hack/cluster: {refusal.reason}\n  {refusal.remedy}", file=sys.stderr)
        return 2
    except StepFailed as failure:
        print(f"hack/cluster: failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "hack/cluster: interrupted; nothing is left half done, run the same command to begin again", file=sys.stderr
        )
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="hack/cluster", description="A real Kubernetes on this machine.")
    verbs = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    name = argparse.ArgumentParser(add_help=False)
    name.add_argument("--name", default="default", help="the cluster (default: %(default)s)")

    up = verbs.add_parser("up", parents=[name], help="start a cluster and wait until it is ready")
    up.add_argument("--nodes", type=int, default=1, help="how many nodes (default: 1)")
    up.add_argument(
        "--provider", choices=["kind", "native"], help="default: kind where docker or podman answers, else native"
    )
    up.add_argument(
        "--control-plane-only", action="store_true", help="etcd, API server and controller manager alone; needs no root"
    )
    up.add_argument("--without-kuberay", action="store_true", help="leave the KubeRay operator out")
    up.add_argument("--keep", action="store_true", help="keep a cluster that failed to start, to look at it")

    down = verbs.add_parser("down", parents=[name], help="remove a cluster and all traces of it")
    down.add_argument("--all", action="store_true", help="remove every cluster")
    verbs.add_parser("status", help="show every cluster; exit status 1 when one is not healthy")
    verbs.add_parser("kubeconfig", parents=[name], help="print the path of the kubeconfig file")
    load = verbs.add_parser("load-image", parents=[name], help="have images on every node")
    load.add_argument(
        "images", nargs="+", metavar="FILE.tar|NAME", help="an image archive, or an image of docker, podman or buildah"
    )
    build = verbs.add_parser("build", help="only build programs and images, and cache them")
    build.add_argument("--provider", choices=["kind", "native", "control-plane"], help="as for up")
    build.add_argument("--without-kuberay", action="store_true", help="leave the KubeRay operator out")
    enter = verbs.add_parser("enter", parents=[name], help="run a command inside a node")
    enter.add_argument("node", help="n1, n2 and so on")
    enter.add_argument("line", nargs=argparse.REMAINDER, metavar="COMMAND", help="default: bash")
    verbs.add_parser("kuberay-crds", help="print the paths of KubeRay's CustomResourceDefinitions")
    return top


def _up(clusters: Clusters, wanted: argparse.Namespace) -> int:
    provider = "control-plane" if wanted.control_plane_only else wanted.provider
    wish = Wish(wanted.name, provider, wanted.nodes, kuberay=not wanted.without_kuberay, keep=wanted.keep)
    cluster = clusters.up(wish)
    print(f"Cluster '{cluster.name}': {describe(cluster)}\n  export KUBECONFIG={cluster.kubeconfig}")
    return 0


def _down(clusters: Clusters, wanted: argparse.Namespace) -> int:
    names = [cluster.name for cluster in clusters.all()] if wanted.all else [wanted.name]
    for name in names:
        if not clusters.down(name):
            print(f"There is no cluster '{name}'; nothing to do.")
    if not names:
        print("There is no cluster; nothing to do.")
    return 0


def _status(clusters: Clusters, wanted: argparse.Namespace) -> int:  # noqa: ARG001
    there = clusters.all()
    if not there:
        print("No cluster. Start one: hack/cluster up")
    healthy = True
    for cluster in there:
        problems = clusters.problems(cluster)
        healthy = healthy and not problems
        print(f"{cluster.name}: {'; '.join(problems) or 'healthy'} ({describe(cluster)})")
        print(f"  export KUBECONFIG={cluster.kubeconfig}")
    return 0 if healthy else 1


def _kubeconfig(clusters: Clusters, wanted: argparse.Namespace) -> int:
    print(record.load(clusters.folders.cluster(wanted.name)).kubeconfig)
    return 0


def _load_image(clusters: Clusters, wanted: argparse.Namespace) -> int:
    clusters.load_images(wanted.name, wanted.images)
    return 0


def _build(clusters: Clusters, wanted: argparse.Namespace) -> int:
    provider = clusters.provider(wanted.provider)
    provider.check()
    provider.build(clusters.progress, kuberay=not wanted.without_kuberay)
    print(f"Everything is in {clusters.folders.cache}")
    return 0


def _enter(clusters: Clusters, wanted: argparse.Namespace) -> int:
    cluster = record.load(clusters.folders.cluster(wanted.name))
    line = [*clusters.provider(cluster.provider).inside(cluster, wanted.node), *(wanted.line or ["bash"])]
    os.execvp(line[0], [str(argument) for argument in line])  # noqa: S606 -- becomes that command


def _kuberay_crds(clusters: Clusters, wanted: argparse.Namespace) -> int:  # noqa: ARG001
    program = programs.provide(programs.KUBERAY, clusters.folders.cache, clusters.progress)
    for path in kuberay.crd_files(program):
        print(path)
    return 0


COMMANDS = {
    "up": _up,
    "down": _down,
    "status": _status,
    "kubeconfig": _kubeconfig,
    "load-image": _load_image,
    "build": _build,
    "enter": _enter,
    "kuberay-crds": _kuberay_crds,
}
