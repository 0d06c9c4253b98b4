import pytest

from gpu.planned import Card, commands_on, find_obstacle, read_cards

SMALL = Card("Fake GPU of a test", 24_576, 300)


def test_what_the_driver_lists_is_read() -> None:
    listing = "NVIDIA H200, 143771, 4\nNVIDIA L4, 23034, 0\n\n"
    assert read_cards(listing) == [Card("NVIDIA H200", 143_771, 4), Card("NVIDIA L4", 23_034, 0)]


@pytest.mark.parametrize(
    ("cards", "has_vllm", "obstacle"),
    [
        ([], True, "there is no NVIDIA GPU here"),
        ([SMALL], False, "this Python has no vLLM"),
        ([Card("busy", 24_576, 9000)], True, "busy is in use: 9000 of 24576 MiB"),
        ([SMALL], True, ""),
    ],
)
def test_what_keeps_it_from_being_tried_is_said(cards: list[Card], has_vllm: bool, obstacle: str) -> None:  # noqa: FBT001
    found = find_obstacle(cards, has_vllm=has_vllm)
    assert obstacle in found
    assert bool(found) == bool(obstacle)


def test_each_server_is_told_its_slice_and_where_its_weights_lie() -> None:
    commands = commands_on(SMALL, 3, 4, [7001, 7002, 7003], "/folder")
    assert [command.arguments[0] for command in commands] == ["--host=127.0.0.1"] * 3
    assert len({command.arguments for command in commands}) == 3
    for command, port in zip(commands, (7001, 7002, 7003), strict=True):
        assert f"--port={port}" in command.arguments
        assert "--model=/folder/tiny" in command.arguments
        assert "--gpu-memory-utilization=0.23" in command.arguments
        assert command.environment["VLLM_CACHE_ROOT"] == "/folder/cache/vllm"
        assert command.model == "tiny"


@pytest.mark.parametrize("slices", [2, 3, 4, 8])
def test_all_slices_together_leave_some_of_the_card_free(slices: int) -> None:
    commands = commands_on(Card("big", 143_771, 0), slices, slices, range(7000, 7000 + slices), "/folder")
    assert len(commands) == slices
    assert sum(command.share_mib for command in commands) <= 143_771 * 0.92
