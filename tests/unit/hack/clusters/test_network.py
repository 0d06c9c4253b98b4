from clusters import network
from clusters.addresses import AddressPlan


def test_the_host_has_one_link_and_a_route_to_every_range() -> None:
    assert network.host_lines(AddressPlan(0), 2, 77) == [
        "link add council0 type veth peer name host netns 77",
        "addr add 10.213.0.1/24 dev council0",
        "link set council0 up",
        "route add 10.214.0.0/24 via 10.213.0.2 dev council0",
        "route add 10.214.1.0/24 via 10.213.0.3 dev council0",
        "route add 10.215.0.0/20 via 10.213.0.2 dev council0",
    ]


def test_a_node_reaches_the_pods_of_the_others() -> None:
    lines = network.node_lines(AddressPlan(0), 2, 3, 77)
    assert "addr add 10.213.0.3/24 dev eth0" in lines
    assert [line for line in lines if line.startswith("route")] == [
        "route add default via 10.213.0.1",
        "route add 10.214.0.0/24 via 10.213.0.2",
        "route add 10.214.2.0/24 via 10.213.0.4",
    ]


def test_the_switch_joins_what_is_plugged_in() -> None:
    assert network.plug_lines(["host", "n1"]) == [
        "link set host master switch",
        "link set host up",
        "link set n1 master switch",
        "link set n1 up",
    ]
