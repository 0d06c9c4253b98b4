"""Configuration files of one node (pure)."""

import json
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml

from clusters.addresses import AddressPlan, node_name

PAUSE_IMAGE = "council-operator.local/pause:1"
# The kubelet sets these for the whole machine, even from within a namespace, unless it finds them set.
KUBELET_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


@dataclass(frozen=True)
class NodePlan:
    """One node of a cluster.

    Attributes:
        plan: the addresses of its cluster.
        number: counted from 1; the first node runs the control plane.
        folder: where its files lie.
    """

    plan: AddressPlan
    number: int
    folder: Path

    @property
    def name(self) -> str:
        """The name of the Node object."""
        return node_name(self.number)

    @property
    def address(self) -> IPv4Address:
        """Where the node is reached."""
        return self.plan.node(self.number)

    @property
    def cgroup(self) -> str:
        """The cgroup of its pods; two kubelets that share one delete each other's pods."""
        return f"/{self.plan.link}/{self.name}"

    @property
    def init_record(self) -> Path:
        """Which process ends the whole node when it ends."""
        return self.folder / "init.json"


def containerd_config(node: NodePlan, *, network_programs: Path) -> str:
    """Return containerd's configuration, in TOML; strings are written as JSON, which TOML reads alike."""
    unused = [
        "io.containerd.snapshotter.v1.aufs",
        "io.containerd.snapshotter.v1.btrfs",
        "io.containerd.snapshotter.v1.devmapper",
        "io.containerd.snapshotter.v1.zfs",
        "io.containerd.internal.v1.tracing",
        "io.containerd.tracing.processor.v1.otlp",
    ]
    interface = '[plugins."io.containerd.grpc.v1.cri"'
    return "\n".join(
        [
            "version = 2",
            f"root = {json.dumps(str(node.folder / 'containerd'))}",
            'state = "/run/containerd"',
            f"disabled_plugins = {json.dumps(unused)}",
            "[grpc]",
            '  address = "/run/containerd/containerd.sock"',
            f"{interface}]",
            f"  sandbox_image = {json.dumps(PAUSE_IMAGE)}",
            # Without the right to lower the score of a process (CAP_SYS_RESOURCE) every sandbox would die.
            "  restrict_oom_score_adj = true",
            f"{interface}.cni]",
            f"  bin_dir = {json.dumps(str(network_programs))}",
            f"  conf_dir = {json.dumps(str(node.folder / 'network'))}",
            f"{interface}.containerd]",
            '  snapshotter = "overlayfs"',
            "",
        ]
    )


def kubelet_config(node: NodePlan, *, credentials: Path) -> str:
    """Return the kubelet's configuration: nothing is held back from pods, and images stay whatever the disk says."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{credentials}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": node.cgroup,
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [str(node.plan.dns)],
            "clusterDomain": "cluster.local",
            "resolvConf": f"{node.folder}/resolv.conf",
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "tlsCertFile": f"{credentials}/{node.name}.crt",
            "tlsPrivateKeyFile": f"{credentials}/{node.name}.key",
            "volumePluginDir": f"{node.folder}/volume-plugins",
            "maxPods": 110,
            "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "enforceNodeAllocatable": [],
        }
    )


def proxy_config(node: NodePlan, *, kubeconfig: Path) -> str:
    """Return kube-proxy's configuration; it leaves the machine's settings of connection tracking as they are."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "clusterCIDR": str(node.plan.pods),
            "mode": "iptables",
            "hostnameOverride": node.name,
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }
    )


def network_config(node: NodePlan) -> str:
    """Return the configuration of the pod network: a bridge on each node, and routes between the nodes."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": str(node.plan.pods_of(node.number))}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": "council", "plugins": [bridge, ports]}, indent=2)


def node_object(node: NodePlan) -> dict[str, Any]:
    """Return the Node as it is made beforehand, so that its range of pod addresses is known at once."""
    pods = str(node.plan.pods_of(node.number))
    labels = {"kubernetes.io/hostname": node.name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "spec": {"podCIDR": pods, "podCIDRs": [pods]},
    }
