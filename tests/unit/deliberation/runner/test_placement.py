from deliberation.runner.placement import choose_place


def test_without_workers_ray_is_asked_for_nothing() -> None:
    assert choose_place(0, 5) == {}


def test_seats_spread_and_take_room_while_there_is_any() -> None:
    assert choose_place(32, 31) == {"scheduling_strategy": "SPREAD", "resources": {"seat": 1}}


def test_a_seat_for_which_no_worker_can_be_started_does_not_wait_for_one() -> None:
    assert choose_place(32, 32) == {"scheduling_strategy": "SPREAD"}
