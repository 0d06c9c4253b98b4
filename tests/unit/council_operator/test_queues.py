import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council_operator.loops import Key
from council_operator.plan.observed import Runs, Turn
from council_operator.plan.roster import runner_name
from council_operator.queues import Queues
from deliberation.protocol.health import Heartbeat
from fakes.bodies import NAMESPACE, SETTINGS, council, council_spec, deliberation, ready_council

Body = dict[str, Any]

ARCHITECTS = Key("Council", NAMESPACE, "architects")

RUNNER = runner_name(council(council_spec(runner={"maxConcurrentDeliberations": 2})), SETTINGS)


class Scene:
    """Queues, with who was woken."""

    def __init__(self, *, is_open: bool = True, **spec: Any) -> None:
        self.woken: list[str] = []
        self.queues = Queues(lambda key: self.woken.append(key.name), SETTINGS)
        self.have_council("architects", **spec)
        if is_open:
            self.queues.open(NAMESPACE)

    def have_council(self, name: str, *, is_ready: bool = True, **spec: Any) -> None:
        make = ready_council if is_ready else council
        body = make(council_spec(**{"runner": {"maxConcurrentDeliberations": 2}, **spec}), name)
        self.queues.council_changed(Key("Council", NAMESPACE, name), body)

    def ask(self, *names: str, council_name: str = "architects", status: Body | None = None, **spec: Any) -> None:
        for name in names:
            body = deliberation(name, council_name, **spec)
            body["metadata"]["creationTimestamp"] = "2026-09-21T14:13:20Z"
            if status is not None:
                body["status"] = status
            self.queues.deliberation_changed(key(name), body)

    def look_up(self, name: str) -> Turn:
        return self.queues.look_up(key(name))

    def admit(self, name: str, at_ms: int = 1) -> None:
        assert self.look_up(name).is_next
        self.queues.note_run(key(name), at_ms, is_over=False)

    def end(self, name: str) -> None:
        self.queues.note_run(key(name), 1, is_over=True)

    def take_woken(self) -> list[str]:
        woken, self.woken[:] = sorted(set(self.woken)), []
        return woken


def key(name: str) -> Key:
    return Key("Deliberation", NAMESPACE, name)


def condition(kind: str, status: str, reason: str) -> Body:
    return {"type": kind, "status": status, "reason": reason}


WAITS = {"phase": "Queued", "conditions": [condition("Admitted", "False", "Queued")]}
RUNS = {
    "phase": "Deliberating",
    "startTime": "2026-09-21T14:13:30Z",
    "conditions": [condition("Admitted", "True", "TaskPublished"), condition("Succeeded", "Unknown", "Deliberating")],
}
UNDECIDED = Turn(is_decided=False, is_next=False)
ENDED = {"phase": "Succeeded", "conditions": [condition("Succeeded", "True", "Succeeded")]}


def test_as_many_as_there_are_places_have_their_turn_and_the_others_their_position() -> None:
    scene = Scene()
    scene.ask("a", "b", "c", "d")
    assert [scene.look_up(name).is_next for name in "abcd"] == [True, True, False, False]
    assert [scene.look_up(name).position for name in "abcd"] == [1, 2, 5, 5]


def test_whose_turn_has_come_is_woken_once() -> None:
    scene = Scene()
    scene.ask("a", "b", "c", "d")
    scene.admit("a")
    scene.admit("b")
    scene.take_woken()
    scene.end("a")
    assert scene.take_woken() == ["c"]
    scene.ask("e")
    assert scene.take_woken() == []


def test_a_run_counts_from_the_moment_its_task_is_seen_whatever_older_news_says() -> None:
    scene = Scene(runner={"maxConcurrentDeliberations": 1})
    scene.ask("a", "b")
    scene.admit("a")
    assert not scene.look_up("b").is_next
    scene.ask("a", status=WAITS)
    assert not scene.look_up("b").is_next
    assert scene.queues.runs_of(ARCHITECTS) == Runs(1, 1)
    scene.ask("a", status=RUNS)
    assert scene.queues.runs_of(ARCHITECTS) == Runs(1, 0)
    scene.end("a")
    scene.ask("a", status=RUNS)
    assert scene.queues.runs_of(ARCHITECTS) == Runs(0, 0)
    assert scene.look_up("b").is_next


def test_whose_task_is_lost_may_be_admitted_again_at_once() -> None:
    scene = Scene(runner={"maxConcurrentDeliberations": 1})
    scene.ask("a", "b", status=RUNS)
    assert scene.look_up("b").is_next


def test_councils_of_one_runner_share_its_places_and_others_do_not() -> None:
    scene = Scene()
    scene.have_council("testers")
    scene.have_council("loners", runner={"maxConcurrentDeliberations": 2, "dedicated": True})
    scene.ask("a1", "a2", "a3")
    scene.ask("t1", council_name="testers")
    scene.ask("l1", council_name="loners")
    assert [scene.look_up(name).is_next for name in ("a1", "a2", "t1", "l1")] == [True, False, True, True]
    assert scene.look_up("t1").position == 1


def test_who_asks_a_council_that_is_not_ready_has_a_position_and_no_turn() -> None:
    scene = Scene()
    scene.have_council("architects", is_ready=False)
    scene.ask("a")
    assert scene.look_up("a") == Turn(is_next=False, position=1)
    scene.take_woken()
    scene.have_council("architects")
    assert scene.take_woken() == ["a"]
    assert scene.look_up("a").is_next


def test_without_a_council_nobody_has_a_turn_or_a_position_or_is_refused() -> None:
    scene = Scene(limits={"maxQueued": 1})
    scene.ask("a", "b", council_name="nobody")
    assert [scene.look_up(name).most_waiting for name in "ab"] == [None, None]
    scene.queues.council_changed(ARCHITECTS, None)
    scene.ask("c", "d")
    assert [scene.look_up(name) for name in "cd"] == [Turn(is_next=False)] * 2
    scene.have_council("architects", is_ready=False)
    assert [scene.look_up(name).position for name in "cd"] == [1, 2]


@pytest.mark.parametrize("status", [ENDED, {"conditions": [condition("Admitted", "False", "InvalidSpec")]}])
def test_who_cannot_go_on_takes_nobodys_turn(status: Body) -> None:
    scene = Scene(runner={"maxConcurrentDeliberations": 1})
    scene.ask("a", status=status)
    scene.ask("b")
    assert scene.look_up("b") == Turn(is_next=True, position=1)


def test_who_fails_for_his_own_reasons_lets_others_go_first_and_comes_back_by_himself() -> None:
    scene = Scene(runner={"maxConcurrentDeliberations": 1})
    scene.ask("a", "b")
    scene.take_woken()
    scene.queues.put_aside(key("a"))
    assert scene.take_woken() == ["b"]
    assert scene.look_up("b").is_next
    assert scene.look_up("a") == Turn(is_next=True)


def test_who_is_gone_leaves_the_line() -> None:
    scene = Scene(runner={"maxConcurrentDeliberations": 1})
    scene.ask("a", "b")
    scene.queues.forget(key("a"))
    scene.queues.forget(key("a"))
    assert scene.look_up("b").is_next
    assert scene.look_up("a") == UNDECIDED


def test_the_newest_find_the_queue_full_in_whatever_order_they_are_looked_at() -> None:
    for order in ("abcd", "dcba", "bdac"):
        scene = Scene(limits={"maxQueued": 2})
        scene.ask(*order)
        for name in order:
            scene.look_up(name)
        refused = {name: scene.look_up(name).most_waiting for name in order}
        assert refused == {"a": None, "b": None, "c": 2, "d": 2}, order


def test_who_may_have_no_room_is_told_when_those_before_have_been_looked_at() -> None:
    scene = Scene(limits={"maxQueued": 1})
    scene.ask("a", "b", "c")
    assert [scene.look_up(name) for name in "cb"] == [UNDECIDED, UNDECIDED]
    scene.take_woken()
    scene.queues.note_run(key("a"), 1, is_over=False)
    assert scene.take_woken() == ["b", "c"]
    assert [scene.look_up(name).most_waiting for name in "bc"] == [None, 1]


def test_thousands_that_come_at_once_are_decided_on_in_one_go() -> None:
    scene = Scene(limits={"maxQueued": 10})
    names = [f"q{number:04}" for number in range(3000)]
    scene.ask(*reversed(names))
    for name in reversed(names):
        scene.look_up(name)
    assert [scene.look_up(name).most_waiting for name in names] == [None] * 10 + [10] * 2990


def test_who_was_taken_in_is_never_refused_and_who_was_refused_never_taken_in() -> None:
    scene = Scene(limits={"maxQueued": 2})
    scene.ask("y", "z")
    assert [scene.look_up(name).most_waiting for name in "yz"] == [None, None]
    scene.ask("a", priority=9)
    assert scene.look_up("a").most_waiting == 2
    scene.queues.forget(key("y"))
    scene.queues.forget(key("z"))
    assert scene.look_up("a") == Turn(is_next=False, most_waiting=2)
    scene.ask("b")
    assert scene.look_up("b") == Turn(is_next=True, position=1)


def test_a_lowered_bound_refuses_nobody_who_waits_already() -> None:
    scene = Scene(is_open=False, limits={"maxQueued": 1})
    scene.ask("a", "b", "c", status=WAITS)
    scene.ask("d")
    scene.queues.open(NAMESPACE)
    assert [scene.look_up(name).most_waiting for name in "abcd"] == [None, None, None, 1]


def test_one_with_the_same_name_starts_afresh() -> None:
    scene = Scene(limits={"maxQueued": 1})
    scene.ask("a", "b")
    assert [scene.look_up(name).most_waiting for name in "ab"] == [None, 1]
    scene.queues.forget(key("a"))
    body = deliberation("b")
    body["metadata"]["uid"] = "another"
    scene.queues.deliberation_changed(key("b"), body)
    assert scene.look_up("b").most_waiting is None


def strained(*councils: str) -> Heartbeat:
    return Heartbeat(runner=RUNNER, running=1, seats={}, strained=councils)


def test_while_models_keep_calls_waiting_one_at_a_time_begins() -> None:
    scene = Scene()
    scene.ask("a", "b", "c")
    scene.admit("a")
    scene.queues.runner_beat(NAMESPACE, strained("uid-architects"))
    assert [scene.look_up(name).is_next for name in "bc"] == [False, False]
    scene.end("a")
    assert [scene.look_up(name).is_next for name in "bc"] == [True, False]
    scene.admit("b")
    scene.take_woken()
    scene.queues.runner_beat(NAMESPACE, strained())
    assert scene.take_woken() == ["c"]
    assert scene.look_up("c").is_next


def test_a_council_on_other_models_goes_on_while_one_is_held_back() -> None:
    scene = Scene()
    scene.have_council("testers")
    scene.ask("a", "b")
    scene.ask("t", "u", council_name="testers")
    scene.admit("a")
    scene.queues.runner_beat(NAMESPACE, strained("uid-architects"))
    assert [scene.look_up(name).is_next for name in "btu"] == [False, True, False]


def test_before_all_are_known_nobody_has_a_turn() -> None:
    scene = Scene(is_open=False)
    scene.ask("z")
    assert scene.look_up("z") == UNDECIDED
    scene.ask("over", status=ENDED)
    scene.ask("a", "runs", status=RUNS)
    assert scene.take_woken() == []
    scene.queues.open(NAMESPACE)
    assert scene.take_woken() == ["a", "runs", "z"]


def test_a_shown_position_that_changes_wakes_its_owner_and_nobody_else() -> None:
    scene = Scene(runner={"maxConcurrentDeliberations": 1})
    names = [f"q{number:02}" for number in range(12)]
    scene.ask(*names)
    for name in names:
        scene.look_up(name)
    scene.take_woken()
    scene.admit("q00")
    woken = scene.take_woken()
    assert woken == ["q01", "q02", "q05", "q10"]
    assert [scene.look_up(name).position for name in woken] == [1, 2, 5, 10]


def test_five_thousand_that_wait_cost_a_few_wakes_each() -> None:
    scene = Scene(is_open=False, runner={"maxConcurrentDeliberations": 1}, limits={"maxQueued": 10_000})
    names = [f"q{number:04}" for number in range(5000)]
    scene.ask(*names, status=WAITS)
    scene.queues.open(NAMESPACE)
    for name in names:
        scene.look_up(name)
    scene.woken.clear()
    passes = 0
    for name in names:
        scene.admit(name)
        scene.end(name)
        for other in scene.take_woken():
            scene.look_up(other)
            passes += 1
    assert passes <= 13 * len(names)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"),
            st.sampled_from(["ask", "waits", "runs", "ended", "gone", "over", "look", "aside"]),
            st.integers(-1, 1),
        ),
        max_size=40,
    ),
    st.randoms(),
)
def test_whatever_happens_the_lines_say_what_the_last_word_of_each_says(
    events: list[tuple[str, str, int]], order: random.Random
) -> None:
    """The queues after a history are those of an operator that only now reads what there is."""
    scene = Scene(runner={"maxConcurrentDeliberations": 2})
    bodies: dict[str, Body] = {}
    for name, event, priority in events:
        match event:
            case "gone":
                scene.queues.forget(key(name))
                bodies.pop(name, None)
            case "look":
                scene.look_up(name)
            case "aside":
                scene.queues.put_aside(key(name))
            case _:
                status = {"waits": WAITS, "runs": RUNS, "ended": ENDED}.get(event)
                bodies[name] = deliberation(name, priority=priority)
                if status:
                    bodies[name]["status"] = status
                scene.queues.deliberation_changed(key(name), bodies[name])
    for name, body in bodies.items():
        scene.queues.deliberation_changed(key(name), body)
    fresh = Scene(runner={"maxConcurrentDeliberations": 2})
    shuffled = list(bodies.items())
    order.shuffle(shuffled)
    for name, body in shuffled:
        fresh.queues.deliberation_changed(key(name), body)
    assert scene.queues.runs_of(ARCHITECTS) == fresh.queues.runs_of(ARCHITECTS)
    for name in sorted(bodies):
        assert scene.look_up(name) == fresh.look_up(name)


def test_the_first_in_a_namespace_has_the_roll_called_there_once_all_others_are_known() -> None:
    scene = Scene(is_open=False)
    scene.ask("a")
    assert scene.woken == []
    scene.queues.call_roll()
    scene.ask("b")
    assert scene.woken == ["", ""]
    scene.queues.open(NAMESPACE)
    scene.take_woken()
    scene.ask("c")
    scene.queues.call_roll()
    assert "" not in scene.take_woken()


def test_whose_runner_awaits_its_quota_is_overtaken_by_nobody_and_goes_on_when_it_has_it() -> None:
    scene = Scene(runner={"mode": "PerDeliberation", "maxConcurrentDeliberations": 1})
    scene.ask("a")
    assert scene.look_up("a").is_next
    held = {"phase": "Queued", "conditions": [condition("Admitted", "False", "RunnerSuspended")]}
    scene.ask("a", status=held)
    scene.ask("urgent", priority=9)
    assert not scene.look_up("urgent").is_next
    assert scene.look_up("a").is_next
    scene.queues.note_run(key("a"), 1, is_over=False)
    assert not scene.look_up("urgent").is_next
    scene.end("a")
    assert scene.look_up("urgent").is_next
