"""Kubernetes on Linux without a container engine: every node is a set of namespaces of this machine."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml

from clusters import (
    cgroups,
    claims,
    cluster_images,
    commands,
    host,
    kuberay,
    mount_points,
    network,
    nodes,
    processes,
    programs,
    storage,
)
from clusters.addresses import node_name
from clusters.archives import Archive
from clusters.components import ControlPlaneFiles
from clusters.credentials import Credentials
from clusters.errors import Refusal
from clusters.folders import DATA, Folders
from clusters.image_store import ImageStore
from clusters.kubernetes_api import Kubectl, Requests
from clusters.node_files import NodePlan, node_object
from clusters.progress import Progress
from clusters.record import Cluster
from clusters.together import together

DEBIAN_PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "nsenter": "util-linux",
    "sysctl": "procps",
    "mount": "mount",
}
LEAST_MEMORY = 3 * 2**29


class Native:
    """The provider `native`.

    Args:
        folders: cache and state of this user.
    """

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.store = ImageStore(folders.cache)

    def check(self) -> None:
        """Make sure of root, programs and memory; missing Debian packages are installed."""
        host.require_linux_root()
        host.require_programs(DEBIAN_PACKAGES, {"containernetworking-plugins": nodes.NETWORK_PROGRAMS})
        host.require_memory(LEAST_MEMORY)

    def build(self, progress: Progress, *, kuberay: bool) -> None:
        """Build Kubernetes, CoreDNS and KubeRay from Go modules, make their images and import those into the store."""
        programs.provide(programs.KUBERNETES, self.folders.cache, progress)
        wanted = [programs.PAUSE, programs.COREDNS, *([programs.KUBERAY] if kuberay else [])]
        archives = cluster_images.provide(wanted, self.folders.cache, progress)
        if self.store.missing(archives):
            with progress.step("importing the cluster's own images"):
                self.store.add(archives)

    def start(self, cluster: Cluster, progress: Progress) -> None:
        """Start the nodes, then what runs on them, each as soon as what it needs is there."""
        plans = _nodes(cluster)
        files = self._control_plane(cluster)
        with progress.step("certificates, namespaces and network"):
            self._credentials(cluster, plans)
            mount_points.make([Path("/", folder) for folder in nodes.OWN_FOLDERS])
            for node in plans:
                nodes.prepare(node, files)
            inits = [nodes.start(node) for node in plans]
            network.connect(cluster.plan, _start_switch(cluster), inits)
        kubectl = Kubectl(cluster.kubeconfig)
        with together() as parts:
            for node in plans:
                parts.begin(self._give_images, node)
            self._start_control_plane(cluster, plans[0], progress)
            with progress.step(f"nodes, DNS{' and KubeRay' if cluster.kuberay else ''}"):
                parts.begin(_install_dns, cluster, kubectl)
                if cluster.kuberay:
                    parts.begin(self._install_kuberay, cluster, kubectl)
                kubectl.apply([node_object(node) for node in plans], "making the Node objects")
                parts.begin(kubectl.apply, storage.storage_objects(plans), "making the volumes")
                for node in plans:
                    parts.begin(_start_kubelet, cluster, node)
                parts.finish()
                kubectl.wait(["--for=condition=Ready", "nodes", "--all"], "waiting for the nodes")

    def remove(self, cluster: Cluster) -> None:
        """End every node, then remove link, routes, cgroups and mount points; all else went with the namespaces."""
        records = [_switch_record(cluster), *(node.init_record for node in _nodes(cluster))]
        ours = [process for record in records if (process := processes.recall(record)) is not None]
        children = [child for process in ours if (child := process.child()) is not None]
        processes.end_all([*ours, *children], step="ending the nodes")
        if claims.holds(cluster.folder, cluster.plan):
            network.disconnect(cluster.plan)
            cgroups.remove(f"/{cluster.plan.link}")
            claims.give_back(cluster.folder, cluster.plan)
        mount_points.remove()

    def problems(self, cluster: Cluster) -> list[str]:
        """Ask every process 1 and then the API server."""
        down = [node.name for node in _nodes(cluster) if not _runs(node)]
        if down:
            return [f"node {name} does not run" for name in down]
        return Kubectl(cluster.kubeconfig).problems(cluster.nodes)

    def load(self, cluster: Cluster, archives: Sequence[Archive], progress: Progress) -> None:
        """Import into every node at once, and into the store for the clusters to come."""
        plans = _nodes(cluster)
        for archive in archives:
            names = ", ".join(archive.names)
            progress.now(f"loading {names}")
            with together() as parts:
                parts.begin(self.store.add, [archive])
                loaded = [parts.begin(nodes.load, node, archive) for node in plans]
            progress.note(f"{names} {'loaded' if any(part.result() for part in loaded) else 'was there already'}")

    def inside(self, cluster: Cluster, node: str) -> list[str | Path]:
        """Enter the namespaces of the node's process 1."""
        for plan in _nodes(cluster):
            if plan.name == node:
                return nodes.inside(plan)
        names = ", ".join(plan.name for plan in _nodes(cluster))
        raise Refusal(f"Cluster '{cluster.name}' has no node '{node}'.", f"Its nodes: {names}")

    def _control_plane(self, cluster: Cluster) -> ControlPlaneFiles:
        home = programs.home(programs.KUBERNETES, self.folders.cache, programs.go_version())
        return ControlPlaneFiles(home, cluster.folder / "credentials", _nodes(cluster)[0].folder)

    def _credentials(self, cluster: Cluster, plans: list[NodePlan]) -> None:
        credentials = Credentials(cluster.folder / "credentials", cluster.name, cluster.plan.api_url)
        credentials.write_control_plane([cluster.plan.node(1), cluster.plan.api_service])
        for node in plans:
            credentials.write_node(node.name, node.address)
        cluster.kubeconfig.symlink_to("credentials/admin.kubeconfig")

    def _give_images(self, node: NodePlan) -> None:
        self.store.give(node.folder / "containerd")
        nodes.start_component(node, "containerd")

    def _start_control_plane(self, cluster: Cluster, node: NodePlan, progress: Progress) -> None:
        requests = Requests(cluster.plan.api_url, cluster.folder / "credentials")
        with progress.step(f"API server at {cluster.plan.api_url}"):
            nodes.start_component(node, "etcd")
            nodes.start_component(node, "kube-apiserver")
            log = node.folder / "log" / "kube-apiserver.log"
            commands.wait_until(requests.ready, step="waiting for the API server", seconds=300, log=log)
        # Before the API server is ready the controller manager exits, for want of a ConfigMap.
        nodes.start_component(node, "kube-controller-manager")
        nodes.start_component(node, "kube-scheduler")

    def _install_kuberay(self, cluster: Cluster, kubectl: Kubectl) -> None:
        program = programs.home(programs.KUBERAY, self.folders.cache, programs.go_version())
        kuberay.install(kubectl, program, cluster.folder / "kuberay")
        kuberay.wait(kubectl)


def _nodes(cluster: Cluster) -> list[NodePlan]:
    return [
        NodePlan(cluster.plan, number, cluster.folder / node_name(number)) for number in range(1, cluster.nodes + 1)
    ]


def _runs(node: NodePlan) -> bool:
    init = processes.recall(node.init_record)
    return init is not None and init.alive()


def _switch_record(cluster: Cluster) -> Path:
    return cluster.folder / "switch.json"


def _start_switch(cluster: Cluster) -> processes.Process:
    log = cluster.folder / "switch.log"
    switch = processes.spawn(["unshare", "--net", "sleep", "infinity"], record=_switch_record(cluster), log=log)
    commands.wait_until(partial(nodes.own_network, switch), step="starting the switch", seconds=60, log=log)
    return switch


def _install_dns(cluster: Cluster, kubectl: Kubectl) -> None:
    objects = list(yaml.safe_load_all((DATA / "manifests" / "coredns.yaml").read_text()))
    service = next(item for item in objects if item["kind"] == "Service")
    service["spec"]["clusterIP"] = str(cluster.plan.dns)
    kubectl.apply(objects, "installing the DNS")
    kubectl.wait_deployment("coredns", "kube-system", "waiting for the DNS")


def _start_kubelet(cluster: Cluster, node: NodePlan) -> None:
    """Start the kubelet when containerd answers, and kube-proxy when the node has reported its address."""
    log = node.folder / "log"
    socket = Path("/proc") / str(_first(node)) / "root/run/containerd/containerd.sock"
    commands.wait_until(
        socket.exists, step=f"waiting for containerd on {node.name}", seconds=120, log=log / "containerd.log"
    )
    nodes.start_component(node, "kubelet")
    requests = Requests(cluster.plan.api_url, cluster.folder / "credentials")
    has_address = partial(requests.node_has_address, node.name)
    commands.wait_until(
        has_address, step=f"waiting for the kubelet on {node.name}", seconds=300, log=log / "kubelet.log"
    )
    nodes.start_component(node, "kube-proxy")


def _first(node: NodePlan) -> int:
    init = processes.recall(node.init_record)
    child = init.child() if init else None
    return child.pid if child else 0
