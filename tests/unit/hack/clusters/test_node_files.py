import json
import tomllib
from pathlib import Path

import yaml

from clusters import node_files
from clusters.addresses import AddressPlan
from clusters.node_files import NodePlan

NODE = NodePlan(AddressPlan(1), 2, Path("/state/with blank/n2"))


def test_containerd_keeps_its_images_in_the_folder_of_the_node() -> None:
    config = tomllib.loads(node_files.containerd_config(NODE, network_programs=Path("/usr/lib/cni")))
    interface = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["root"] == "/state/with blank/n2/containerd"
    assert interface["restrict_oom_score_adj"] is True
    assert interface["sandbox_image"] == node_files.PAUSE_IMAGE
    assert interface["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/state/with blank/n2/network"}
    assert interface["containerd"]["snapshotter"] == "overlayfs"


def test_the_kubelet_holds_nothing_back_from_pods() -> None:
    config = yaml.safe_load(node_files.kubelet_config(NODE, credentials=Path("/c")))
    assert config["maxPods"] == 110
    assert config["enforceNodeAllocatable"] == []
    assert not {"kubeReserved", "systemReserved"} & set(config)
    assert config["cgroupRoot"] == "/council1/n2"
    assert config["clusterDNS"] == ["10.215.16.10"]
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["tlsCertFile"] == "/c/n2.crt"


def test_kube_proxy_leaves_the_machine_alone() -> None:
    config = yaml.safe_load(node_files.proxy_config(NODE, kubeconfig=Path("/c/proxy.kubeconfig")))
    assert config["conntrack"] == {
        "maxPerCore": 0,
        "min": 0,
        "tcpEstablishedTimeout": "0s",
        "tcpCloseWaitTimeout": "0s",
    }
    assert config["hostnameOverride"] == "n2"
    assert config["clusterCIDR"] == "10.214.16.0/20"


def test_pods_get_addresses_of_their_node() -> None:
    bridge, _ = json.loads(node_files.network_config(NODE))["plugins"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.214.17.0/24"}]]
    assert node_files.node_object(NODE)["spec"] == {"podCIDR": "10.214.17.0/24", "podCIDRs": ["10.214.17.0/24"]}
