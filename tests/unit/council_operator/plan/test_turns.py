import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council_operator.plan.turns import (
    STEPS,
    Line,
    Stand,
    Terms,
    Ticket,
    admitted_ms,
    choose,
    read_stand,
    read_terms,
    show_position,
    write_ticket,
)
from fakes.bodies import SETTINGS, council, council_spec, deliberation, ready_council

Body = dict[str, Any]

TICKETS = st.builds(
    Ticket,
    st.integers(-3, 3),
    st.sampled_from(["2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z", "2026-09-21T14:13:22Z"]),
    st.text("abc", min_size=1, max_size=4),
)
LINES = st.dictionaries(
    st.sampled_from(["red", "blue", "green", "grey"]),
    st.tuples(st.sets(TICKETS, max_size=8), st.integers(0, 4), st.integers(0, 3)),
).map(lambda lines: [Line(name, sorted(waiting), running, turn) for name, (waiting, running, turn) in lines.items()])
PLACES = st.integers(1, 10)


def tickets(*names: str, created: str = "2026-09-21T14:13:20Z") -> list[Ticket]:
    return [Ticket(0, created, name) for name in names]


def names(chosen: tuple[tuple[str, Ticket], ...]) -> list[str]:
    return [ticket.name for _, ticket in chosen]


def test_higher_priority_goes_first_then_who_came_first_then_the_lesser_name() -> None:
    asked = [
        ("late", 0, "2026-09-21T14:13:21Z"),
        ("b", 0, "2026-09-21T14:13:20Z"),
        ("a", 0, "2026-09-21T14:13:20Z"),
        ("urgent", 5, "2026-09-21T14:13:29Z"),
        ("whenever", -5, "2026-09-21T14:13:00Z"),
    ]
    bodies = []
    for name, priority, created in asked:
        body = deliberation(name, priority=priority)
        body["metadata"]["creationTimestamp"] = created
        bodies.append(body)
    assert [ticket.name for ticket in sorted(map(write_ticket, bodies))] == ["urgent", "a", "b", "late", "whenever"]


def test_councils_that_share_a_runner_take_turns() -> None:
    lines = [Line("red", tickets("r0", "r1", "r2")), Line("blue", tickets("b0", "b1", created="2026-09-21T15:00:00Z"))]
    assert names(choose(lines, 5)) == ["r0", "b0", "r1", "b1", "r2"]


def test_a_free_place_goes_to_the_council_with_the_fewest_runs() -> None:
    lines = [
        Line("red", tickets("r0"), running=2, last_turn_ms=1),
        Line("blue", tickets("b0"), running=1, last_turn_ms=9),
    ]
    assert names(choose(lines, 4)) == ["b0"]


def test_among_equals_it_goes_to_the_one_whose_last_turn_is_longest_ago() -> None:
    lines = [Line("red", tickets("r0"), last_turn_ms=9), Line("blue", tickets("b0"), last_turn_ms=1)]
    assert names(choose(lines, 1)) == ["b0"]


@pytest.mark.parametrize(("running", "expected"), [(0, ["r0", "r1"]), (1, ["r0"]), (2, []), (7, [])])
def test_no_more_than_the_places_are_taken(running: int, expected: list[str]) -> None:
    assert names(choose([Line("red", tickets("r0", "r1", "r2"), running=running)], 2)) == expected


@given(LINES, PLACES)
def test_the_free_places_are_filled_and_not_one_more(lines: list[Line], places: int) -> None:
    free = max(0, places - sum(line.running for line in lines))
    assert len(choose(lines, places)) == min(free, sum(len(line.waiting) for line in lines))


@given(LINES, PLACES)
def test_each_council_keeps_its_own_order(lines: list[Line], places: int) -> None:
    chosen = choose(lines, places)
    for line in lines:
        mine = [ticket for council_name, ticket in chosen if council_name == line.council]
        assert mine == list(line.waiting[: len(mine)])


@given(LINES, PLACES, st.randoms())
def test_the_order_in_which_councils_are_listed_changes_nothing(
    lines: list[Line], places: int, order: random.Random
) -> None:
    shuffled = list(lines)
    order.shuffle(shuffled)
    assert choose(shuffled, places) == choose(lines, places)


@given(LINES, st.integers(1, 9))
def test_with_fewer_places_it_is_the_beginning_of_the_same(lines: list[Line], places: int) -> None:
    fewer, more = choose(lines, places), choose(lines, places + 1)
    assert fewer == more[: len(fewer)]


@given(
    rivals=st.integers(1, 4),
    places=st.integers(1, 4),
    durations=st.lists(st.integers(1, 5), min_size=1, max_size=40),
)
def test_nobody_is_starved_by_councils_that_never_run_dry(rivals: int, places: int, durations: list[int]) -> None:
    """One Deliberation waits beside Councils with endless queues of older ones; runs end after some turns each."""
    councils = [f"rival{number}" for number in range(rivals)]
    last_turn: Counter[str] = Counter()
    running: list[tuple[int, str]] = []
    for now in range(1, 1000):
        running = [(end, name) for end, name in running if end > now]
        in_work = Counter(name for _, name in running)
        lines = [
            Line(name, tickets(*(f"q{now}-{n}" for n in range(places))), in_work[name], last_turn[name])
            for name in councils
        ]
        late = tickets("tagged", created="2026-09-22T00:00:00Z")
        chosen = choose([*lines, Line("zealot", late, 0, last_turn["zealot"])], places)
        if "tagged" in names(chosen):
            break
        for name, _ in chosen:
            last_turn[name] = now
            running.append((now + durations[(now + len(running)) % len(durations)], name))
    assert now <= (rivals + 1) * (max(durations) + 1)


def test_shown_positions_are_exact_in_front_and_rounded_up_behind() -> None:
    shown = [show_position(position) for position in (1, 2, 3, 5, 6, 10, 11, 499, 500, 501)]
    assert shown == [1, 2, 5, 5, 10, 10, 20, 500, 500, 1000]


@given(st.integers(1, 6_000_000))
def test_a_shown_position_is_never_better_than_the_true_one_and_never_much_worse(position: int) -> None:
    assert position <= show_position(position) <= 2.5 * position


def test_of_five_thousand_that_wait_one_admission_changes_what_a_few_are_shown() -> None:
    changed = [place for place in range(1, 5000) if show_position(place) != show_position(place + 1)]
    assert len(changed) == sum(step < 5000 for step in STEPS) == 11


def conditions(**statuses: tuple[str, str]) -> Body:
    return {
        "conditions": [
            {"type": kind, "status": status, "reason": reason} for kind, (status, reason) in statuses.items()
        ]
    }


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {"observedGeneration": -1}, Stand.WAITING),
        ({}, conditions(Admitted=("False", "CouncilNotReady")), Stand.WAITING),
        ({}, conditions(Admitted=("True", "TaskPublished"), Succeeded=("Unknown", "Pending")), Stand.ADMITTED),
        ({"cancel": True}, conditions(Admitted=("True", "TaskPublished")), Stand.ADMITTED),
        ({"cancel": True}, {}, Stand.ASIDE),
        ({"suspend": True}, {}, Stand.ASIDE),
        ({"suspend": True}, conditions(Admitted=("True", "TaskPublished")), Stand.ADMITTED),
        ({"suspend": False}, conditions(Admitted=("False", "Suspended")), Stand.WAITING),
        ({}, conditions(Admitted=("False", "InvalidSpec")), Stand.ASIDE),
        ({}, conditions(Admitted=("True", "TaskPublished"), Succeeded=("True", "Succeeded")), Stand.ASIDE),
        ({}, conditions(Admitted=("False", "QueueFull"), Succeeded=("False", "QueueFull")), Stand.ASIDE),
    ],
)
def test_where_a_deliberation_stands_is_read_from_itself(spec: Body, status: Body, expected: Stand) -> None:
    assert read_stand({**deliberation(**spec), "status": status}) is expected


def test_one_that_is_being_deleted_takes_nobodys_turn() -> None:
    body = deliberation()
    body["metadata"]["deletionTimestamp"] = "2026-09-21T14:13:20Z"
    assert read_stand(body) is Stand.ASIDE


def test_the_terms_of_a_line_come_from_its_council() -> None:
    spec = council_spec(runner={"maxConcurrentDeliberations": 3}, limits={"maxQueued": 7})
    terms = read_terms(ready_council(spec), SETTINGS)
    assert terms is not None
    assert terms.runner.startswith("runner-")
    assert terms == Terms(terms.runner, places=3, max_waiting=7, is_open=True)
    unready = read_terms(council(), SETTINGS)
    assert unready is not None
    assert (unready.places, unready.max_waiting, unready.is_open) == (8, 1000, False)
    assert read_terms(council({"models": [], "members": []}), SETTINGS) is None


def test_who_waits_for_a_council_has_a_start_and_has_had_no_turn() -> None:
    body = deliberation()
    admitted = {"type": "Admitted", "status": "False"}
    body["status"] = {"startTime": "1970-01-01T00:00:07Z", "conditions": [admitted]}
    assert admitted_ms(body) == 0
    admitted["status"] = "True"
    assert admitted_ms(body) == 7000
    del body["status"]["startTime"]
    assert admitted_ms(body) == 0


def test_whose_runner_waits_for_its_quota_keeps_its_place_unless_it_is_stopped() -> None:
    held = {"conditions": [{"type": "Admitted", "status": "False", "reason": "RunnerSuspended"}]}
    assert read_stand({**deliberation(), "status": held}) is Stand.ADMITTED
    assert read_stand({**deliberation(suspend=True), "status": held}) is Stand.ASIDE
    assert read_stand({**deliberation(cancel=True), "status": held}) is Stand.ASIDE


def test_councils_that_keep_no_runner_share_no_places() -> None:
    spec = council_spec(runner={"mode": "PerDeliberation", "maxConcurrentDeliberations": 2})
    terms = [read_terms(ready_council(spec, name), SETTINGS) for name in ("red", "blue")]
    assert [one.places for one in terms if one] == [2, 2]
    assert len({one.runner for one in terms if one}) == 2
