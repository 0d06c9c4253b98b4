from pathlib import Path

from clusters import storage
from clusters.addresses import AddressPlan
from clusters.node_files import NodePlan

NODES = [NodePlan(AddressPlan(1), number, Path(f"/state/n{number}")) for number in (1, 2)]


def test_a_claim_that_names_no_class_gets_a_volume_where_its_pod_runs() -> None:
    storage_class = storage.storage_objects(NODES)[0]
    assert storage_class["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert storage_class["volumeBindingMode"] == "WaitForFirstConsumer"


def test_every_folder_is_a_volume_of_its_node() -> None:
    volumes = storage.storage_objects(NODES)[1:]
    places = {
        (
            volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["values"][0],
            volume["spec"]["local"]["path"],
        )
        for volume in volumes
    }
    assert places == {(node.name, str(folder)) for node in NODES for folder in storage.volume_folders(node)}
    assert len({volume["metadata"]["name"] for volume in volumes}) == len(volumes) == 2 * storage.VOLUMES_PER_NODE
