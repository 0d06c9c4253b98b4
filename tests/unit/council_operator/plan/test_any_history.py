"""Whatever people and the world do: what must hold after every step, and what must come in the end."""

import copy
import itertools
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from council_operator.plan import council as council_plan
from council_operator.plan import deliberation as deliberation_plan
from council_operator.plan import health
from council_operator.plan.actions import Action, Apply, EnsureTaskConsumer
from council_operator.plan.deliberation import is_finished
from council_operator.plan.health import RunnerState
from council_operator.render import labels
from deliberation.api.v1alpha1.council_status import CouncilStatus
from deliberation.api.v1alpha1.deliberation_status import DeliberationStatus
from deliberation.protocol.entries import LedgerRecord
from deliberation.protocol.health import ProbeResult
from fakes.bodies import ENDPOINT, SETTINGS, SIMULATED, VLLM, council, council_spec, deliberation
from fakes.fake_world import FakeWorld

Body = dict[str, Any]

COUNCILS = st.sampled_from(["red", "blue"])
QUESTIONS = st.sampled_from(["q0", "q1", "q2"])
SPECS = st.sampled_from(
    [
        council_spec(SIMULATED),
        council_spec(VLLM, seats=2),
        council_spec(ENDPOINT),
        council_spec(SIMULATED, {**VLLM, "name": "second"}, runner={"maxConcurrentDeliberations": 2}),
        council_spec({**VLLM, "dedicated": True}, runner={"dedicated": True}),
        council_spec(SIMULATED, runner={"mode": "PerDeliberation"}),
        council_spec(ENDPOINT, runner={"mode": "PerDeliberation"}),
        {**council_spec(), "members": [{"name": "dev", "role": "Developer", "modelRef": "nobody"}]},
    ]
)
ENDS = st.sampled_from(["Failed", "Complete", "ValidationFailed"])

SETTLING_PASSES = 5


class AnyHistory(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = FakeWorld()
        self.world.probes = (ProbeResult(name="small"), ProbeResult(name="second"))
        self.serial = itertools.count(1)
        self.finished: dict[str, Body] = {}
        self.transitions: dict[tuple[str, str], tuple[str, str]] = {}

    @rule(name=COUNCILS, spec=SPECS)
    def create_or_edit_a_council(self, name: str, spec: Body) -> None:
        if name in self.world.councils:
            self.world.edit(self.world.councils[name], **{"runner": {}, **copy.deepcopy(spec)})
        else:
            self.world.create(council(copy.deepcopy(spec), name, uid=f"uid-{next(self.serial)}"))

    @rule(name=COUNCILS)
    def delete_a_council(self, name: str) -> None:
        if name in self.world.councils:
            self.world.delete_council(name)

    @rule(name=QUESTIONS, council_name=COUNCILS, quorum=st.sampled_from([1, 2, 3]))
    def create_a_deliberation(self, name: str, council_name: str, quorum: int) -> None:
        if name not in self.world.deliberations:
            body = deliberation(name, council_name, quorum=quorum, timeoutSeconds=60)
            body["metadata"]["uid"] = f"uid-{next(self.serial)}"
            self.world.create(body)

    @rule(name=QUESTIONS)
    def cancel(self, name: str) -> None:
        if name in self.world.deliberations:
            self.world.edit(self.world.deliberations[name], cancel=True)

    @rule(name=QUESTIONS, suspend=st.booleans())
    def suspend_or_resume(self, name: str, *, suspend: bool) -> None:
        if name in self.world.deliberations:
            self.world.edit(self.world.deliberations[name], suspend=suspend)

    @rule(name=QUESTIONS)
    def somebody_deletes_its_ray_job(self, name: str) -> None:
        if name in self.world.deliberations:
            self.world.delete_own_runner(name)

    @rule(name=QUESTIONS)
    def delete_a_deliberation(self, name: str) -> None:
        if name in self.world.deliberations:
            self.world.delete_deliberation(name)

    @rule()
    def servers_come_up(self) -> None:
        self.world.start_servers()

    @rule()
    def runners_come_up(self) -> None:
        self.world.start_runners()

    @rule(status=ENDS)
    def runners_end(self, status: str) -> None:
        self.world.end_runners({"jobDeploymentStatus": status, "jobStatus": "RUNNING"})

    @rule(name=QUESTIONS)
    def the_runner_does_something(self, name: str) -> None:
        if name in self.world.deliberations:
            self.world.run_a_step(name)

    @rule(name=QUESTIONS, key=st.sampled_from(["start", "proposal.0.dev-0.0", "nonsense"]))
    def somebody_writes_nonsense_into_the_ledger(self, name: str, key: str) -> None:
        if name in self.world.deliberations:
            uid = self.world.deliberations[name]["metadata"]["uid"]
            ledger = self.world.ledgers.get(uid)
            if ledger and all(record.key != key for record in ledger):
                ledger.append(LedgerRecord(1_000_000 + next(self.serial), key, None))

    @rule(is_up=st.booleans())
    def the_bus_comes_or_goes(self, *, is_up: bool) -> None:
        self.world.bus_is_up = is_up

    @rule(installed=st.booleans())
    def kuberay_comes_or_goes(self, *, installed: bool) -> None:
        self.world.kuberay_installed = installed

    @rule(seconds=st.sampled_from([1, 5, 31, 80, 130]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(name=COUNCILS)
    def the_operator_looks_at_a_council(self, name: str) -> None:
        if name in self.world.councils:
            self.world.reconcile_council(name)

    @rule(name=QUESTIONS)
    def the_operator_looks_at_a_deliberation(self, name: str) -> None:
        if name in self.world.deliberations:
            self.world.reconcile_deliberation(name)

    @precondition(lambda self: self.world.councils or self.world.deliberations)
    @rule()
    def left_alone_the_operator_comes_to_rest(self) -> None:
        self.world.settle(SETTLING_PASSES)
        for name in self.world.councils:
            plan = council_plan.plan(self.world.observe_council(name), SETTINGS)
            assert [action for action in plan.actions if not _is_assurance(action)] == []
        for name in self.world.deliberations:
            assert deliberation_plan.plan(self.world.observe_deliberation(name), SETTINGS).actions == ()

    @invariant()
    def every_child_carries_our_labels_and_a_living_owner(self) -> None:
        world = self.world
        alive = {body["metadata"]["uid"] for body in (*world.councils.values(), *world.deliberations.values())}
        for body in world.children.values():
            metadata = body["metadata"]
            assert metadata["labels"][labels.MANAGED_BY_LABEL] == labels.MANAGER
            owners = {owner["uid"] for owner in metadata["ownerReferences"]}
            assert owners
            assert owners <= alive

    @invariant()
    def a_finished_deliberation_never_changes(self) -> None:
        for body in self.world.deliberations.values():
            if is_finished(body):
                status = _without_generations(body["status"])
                assert self.finished.setdefault(body["metadata"]["uid"], status) == status

    @invariant()
    def at_most_one_ray_job_works_on_a_question(self) -> None:
        for name in self.world.deliberations:
            states = [health.read_runner(body) for body in self.world.own_ray_jobs(name)]
            assert sum(state is not RunnerState.ENDED for state in states) <= 1

    @invariant()
    def a_transition_time_changes_with_its_status_only(self) -> None:
        for body in (*self.world.councils.values(), *self.world.deliberations.values()):
            for condition in body["status"].get("conditions", ()):
                place = (body["metadata"]["uid"], condition["type"])
                seen = (condition["status"], condition["lastTransitionTime"])
                status, since = self.transitions.get(place, seen)
                assert (status == seen[0]) <= (since == seen[1])
                self.transitions[place] = seen

    @invariant()
    def ready_and_succeeded_give_one_reason(self) -> None:
        for body in self.world.deliberations.values():
            told = {one["type"]: (one["reason"], one["message"]) for one in body["status"].get("conditions", ())}
            assert told.get("Ready") == told.get("Succeeded")

    @invariant()
    def statuses_fit_their_schemas(self) -> None:
        for body in self.world.councils.values():
            CouncilStatus.model_validate(body["status"])
        for body in self.world.deliberations.values():
            DeliberationStatus.model_validate(body["status"])

    def teardown(self) -> None:
        """In a world without faults everything comes to its end, and nothing stays behind."""
        world = self.world
        world.bus_is_up = world.kuberay_installed = True
        for name in ("red", "blue"):
            if name in world.councils:
                world.edit(world.councils[name], **council_spec(), runner={})
            else:
                world.create(council(name=name, uid=f"uid-{next(self.serial)}"))
        for body in world.deliberations.values():
            world.edit(body, suspend=False)
        for _ in range(3):
            world.pass_time(130)
            world.settle(SETTLING_PASSES)
            world.start_servers()
            world.start_runners()
            world.settle(1)
            for name in list(world.deliberations):
                world.run_to_the_end(name)
        world.settle(SETTLING_PASSES)
        for body in world.councils.values():
            assert {one["type"]: one["status"] for one in body["status"]["conditions"]}["Ready"] == "True"
        assert all(is_finished(body) for body in world.deliberations.values())
        for name in list(world.deliberations):
            world.delete_deliberation(name)
        world.settle()
        for name in list(world.councils):
            world.delete_council(name)
        assert (world.deliberations, world.tasks, world.ledgers, world.children) == ({}, {}, {}, {})
        assert not [runner for runner in world.consumers if runner.startswith("d-")]


def _is_assurance(action: Action) -> bool:
    """Return whether an action only makes sure of what cannot be read: a consumer, or a Secret that somebody misses."""
    return isinstance(action, EnsureTaskConsumer) or (isinstance(action, Apply) and action.body["kind"] == "Secret")


def _without_generations(status: Body) -> Body:
    stripped = copy.deepcopy(status)
    for one in (stripped, *stripped["conditions"]):
        del one["observedGeneration"]
    return stripped


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=20, stateful_step_count=25, deadline=None, derandomize=True)
