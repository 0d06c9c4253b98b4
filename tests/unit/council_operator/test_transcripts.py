"""Named scenarios, told as transcripts: what people and the world did, what the operator did, what people then read.

The transcripts in `golden/` are documentation as much as they are tests. After a change on purpose, write them anew
with WRITE_TRANSCRIPTS=1 and read the difference.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from council_operator.plan.actions import (
    Action,
    Apply,
    Delete,
    EmitEvent,
    EnsureTaskConsumer,
    PublishEntry,
    PublishTask,
    Purge,
    Release,
    RemoveTaskConsumer,
)
from council_operator.plan.succession import SETTLED_AFTER_SECONDS
from deliberation.protocol.health import ProbeResult
from fakes.bodies import ENDPOINT, VLLM, council, council_spec, deliberation
from fakes.fake_world import FakeWorld

Body = dict[str, Any]

GOLDEN = Path(__file__).parent / "golden"


class Transcript:
    """Lets the operator work after each step until it rests, and writes down what it did and what people see."""

    def __init__(self) -> None:
        self.world = FakeWorld()
        self.steps: list[Body] = []
        self._letters: dict[str, str] = {}

    def then(self, what: str, happens: Callable[[], object]) -> None:
        """Have something happen, then let the operator look at everything until it changes nothing more."""
        happens()
        done: list[str] = []
        for _ in range(6):
            for name in list(self.world.councils):
                actions = self.world.reconcile_council(name).actions
                changes = [action for action in actions if not isinstance(action, EnsureTaskConsumer)]
                done += [f"Council {name}: {self._tell(action)}" for action in changes]
            for name in list(self.world.deliberations):
                actions = self.world.reconcile_deliberation(name).actions
                done += [f"Deliberation {name}: {self._tell(action)}" for action in actions]
            for uid in list(self.world.gone):
                name, actions = self.world.gone[uid][0]["metadata"]["name"], self.world.clear_up_after(uid).messages
                done += [f"what Deliberation {name} left: {self._tell(action)}" for action in actions]
        self.steps.append({"then": what, "the operator": done, "people read": self._read()})

    def _tell(self, action: Action) -> str:
        return self._hide_digests(_tell(action))

    def _read(self) -> Body:
        shown: Body = {}
        for kind, bodies in (("Council", self.world.councils), ("Deliberation", self.world.deliberations)):
            for name, body in bodies.items():
                conditions = {one["type"]: one for one in body["status"]["conditions"]}
                ready = conditions["Ready"]
                text = f"Ready={ready['status']} {ready['reason']}: {ready['message']}".removesuffix(": ")
                if conditions["Stalled"]["status"] == "True":
                    text = f"Stalled, {text}"
                phase = body["status"].get("phase")
                shown[f"{kind} {name}"] = self._hide_digests(f"{phase}, {text}" if phase else text)
        return shown

    def _hide_digests(self, text: str) -> str:
        """Replace digests by letters in order of appearance: they change with every release."""

        def letter(match: re.Match[str]) -> str:
            letters = self._letters
            return f"{match[1]}-{letters.setdefault(match[0], chr(ord('A') + len(letters)))}"

        return re.sub(r"(model|runner)-[0-9a-f]{10}", letter, text)


def _tell(action: Action) -> str:
    match action:
        case Apply(body, _):
            text = f"apply {body['kind']} {body['metadata']['name']}"
        case Delete(reference, _) | Release(reference, _):
            text = f"{type(action).__name__.lower()} {reference.kind} {reference.name}"
        case PublishTask(_, runner, _):
            text = f"publish the task to {runner}"
        case PublishEntry(_, entry):
            text = f"publish {entry.key}"
        case Purge():
            text = "purge tasks and ledger"
        case EmitEvent(kind, reason, message):
            text = f"event {kind} {reason}: {message}"
        case EnsureTaskConsumer(_, runner):
            text = f"ensure the consumer of {runner}"
        case RemoveTaskConsumer(_, runner):
            text = f"remove the consumer of {runner}"
    return text


def ready_transcript(*models: Body, **spec: Any) -> Transcript:
    """Return a transcript that begins with a ready Council."""
    transcript = Transcript()
    world = transcript.world
    transcript.then("Council architects is created", lambda: world.create(council(council_spec(*models, **spec))))
    transcript.then("its model server and its runner come up", world.bring_up)
    return transcript


def happy_path() -> Transcript:
    transcript = ready_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("the runner takes it up", lambda: world.run_a_step("q1"))
    transcript.then("every seat proposes", lambda: world.run_a_step("q1"))
    transcript.then("every judge scores the others", lambda: world.run_a_step("q1"))
    transcript.then("the runner writes the verdict", lambda: world.run_a_step("q1"))
    transcript.then("Deliberation q1 is deleted", lambda: world.delete_deliberation("q1"))
    transcript.then("Council architects is deleted", lambda: world.delete_council("architects"))
    return transcript


def deliberation_before_council() -> Transcript:
    transcript = Transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("Council architects is created", lambda: world.create(council()))
    transcript.then("its model server and its runner come up", world.bring_up)
    return transcript


def kuberay_and_nats_come_late() -> Transcript:
    transcript = Transcript()
    world = transcript.world
    world.kuberay_installed = world.bus_is_up = False
    transcript.then("Council architects is created without KubeRay and NATS", lambda: world.create(council()))
    transcript.then("its model server comes up", world.start_servers)

    def install_kuberay() -> None:
        world.kuberay_installed = True

    def install_nats() -> None:
        world.bus_is_up = True

    transcript.then("KubeRay is installed", install_kuberay)
    transcript.then("NATS is installed", install_nats)
    transcript.then("the runner comes up", world.start_runners)
    return transcript


def nats_goes_away_mid_run() -> Transcript:
    transcript = ready_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("the runner takes it up", lambda: world.run_a_step("q1"))

    def lose_nats() -> None:
        world.bus_is_up = False

    def return_of_nats() -> None:
        world.bus_is_up = True
        world.beat()

    transcript.then("NATS is lost", lose_nats)
    transcript.then("NATS is back", return_of_nats)
    transcript.then("the runner finishes", lambda: world.run_to_the_end("q1"))
    return transcript


def runner_dies() -> Transcript:
    transcript = ready_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("the runner takes it up", lambda: world.run_a_step("q1"))
    failed = {"jobDeploymentStatus": "Failed", "jobStatus": "RUNNING", "reason": "AppFailed"}
    transcript.then("the runner fails at once", lambda: world.end_runners(failed))
    transcript.then("two minutes pass", lambda: world.pass_time(120))
    transcript.then("the new runner comes up", world.start_runners)
    transcript.then("the new runner goes on from the ledger", lambda: world.run_to_the_end("q1"))
    return transcript


def runner_never_answers() -> Transcript:
    transcript = ready_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation(timeoutSeconds=60)))

    def pass_the_deadline() -> None:
        world.pass_time(75)
        world.beat()

    transcript.then("75 seconds pass", pass_the_deadline)
    return transcript


def cancelled_mid_run() -> Transcript:
    transcript = ready_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("the runner takes it up", lambda: world.run_a_step("q1"))
    transcript.then("spec.cancel is set", lambda: world.edit(world.deliberations["q1"], cancel=True))
    return transcript


def model_changes_before_the_old_one_goes() -> Transcript:
    transcript = ready_transcript(VLLM)
    world = transcript.world
    changed = [{"name": "small", "vllm": {"model": "Qwen/Qwen3-1.7B"}}]
    transcript.then("the Council changes its model", lambda: world.edit(world.councils["architects"], models=changed))
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("the new model server comes up", world.start_servers)
    transcript.then("the runner finishes with the model of its time", lambda: world.run_to_the_end("q1"))
    transcript.then("a few seconds pass", lambda: world.pass_time(SETTLED_AFTER_SECONDS))
    return transcript


def two_councils_share_and_part() -> Transcript:
    transcript = ready_transcript()
    world = transcript.world
    transcript.then("Council testers declares the same", lambda: world.create(council(name="testers")))
    transcript.then("Council architects is deleted", lambda: world.delete_council("architects"))
    transcript.then("Council testers is deleted", lambda: world.delete_council("testers"))
    return transcript


def endpoint_without_its_secret() -> Transcript:
    transcript = ready_transcript(ENDPOINT)
    world = transcript.world

    def find(reason: str | None, message: str = "") -> Callable[[], None]:
        def probe() -> None:
            world.probes = (ProbeResult(name="small", reason=reason, message=message),)

        return probe

    transcript.then("the runner finds no key", find("SecretMissing", "Secret llm-key or its key token is missing"))
    transcript.then("the Secret holds a wrong key", find("Unauthorized", "the server answered 401"))
    transcript.then("the Secret holds the right key", find(None))
    return transcript


def impossible_quorum() -> Transcript:
    transcript = ready_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 asks for a quorum of 4 of 3", lambda: world.create(deliberation(quorum=4)))
    members = council_spec(seats=4)["members"]
    transcript.then("the Council gets another seat", lambda: world.edit(world.councils["architects"], members=members))
    return transcript


PER_DELIBERATION: Body = {"mode": "PerDeliberation"}
COMPLETE: Body = {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}
FAILED: Body = {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "reason": "AppFailed"}


def own_runner_transcript(**changes: Any) -> Transcript:
    """Return a transcript that begins with a ready Council that keeps no runner."""
    transcript = Transcript()
    world = transcript.world
    body = council(council_spec(runner=PER_DELIBERATION))
    body["metadata"] |= changes
    transcript.then("Council architects is created", lambda: world.create(body))
    transcript.then("its model server comes up", world.start_servers)
    return transcript


def question_with_its_own_runner() -> Transcript:
    transcript = own_runner_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("its runner comes up", world.start_runners)
    transcript.then("the runner works to the end", lambda: world.run_to_the_end("q1"))
    transcript.then("the runner ends by itself", lambda: world.end_runners(COMPLETE))
    transcript.then("Deliberation q1 is deleted", lambda: world.delete_deliberation("q1"))
    return transcript


def own_runner_fails_and_the_next_one_finishes() -> Transcript:
    transcript = own_runner_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("its runner comes up", world.start_runners)
    transcript.then("the runner takes it up", lambda: world.run_a_step("q1"))
    transcript.then("every seat proposes", lambda: world.run_a_step("q1"))
    transcript.then("the runner fails", lambda: world.end_runners(FAILED))
    transcript.then("ten seconds pass", lambda: world.pass_time(10))
    transcript.then("the next runner comes up", world.start_runners)
    transcript.then("it goes on from the ledger", lambda: world.run_to_the_end("q1"))
    return transcript


def own_runner_fails_three_times() -> Transcript:
    transcript = own_runner_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    unstarted = {"jobDeploymentStatus": "Failed", "reason": "PreRunningDeadlineExceeded"}
    transcript.then("its runner does not start", lambda: world.end_runners(unstarted))
    transcript.then("ten seconds pass", lambda: world.pass_time(10))
    transcript.then("somebody deletes the RayJob", lambda: world.delete_own_runner("q1"))
    transcript.then("the third does not start either", lambda: world.end_runners(unstarted))
    return transcript


def own_runner_waits_for_quota() -> Transcript:
    transcript = own_runner_transcript(labels={"kueue.x-k8s.io/queue-name": "team"})
    world = transcript.world
    world.kueue_is_full = True

    def give_quota() -> None:
        world.kueue_is_full = False
        world.resume_runners()

    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation(timeoutSeconds=60)))
    transcript.then("an hour passes", lambda: world.pass_time(3600))
    transcript.then("Kueue has quota for it", give_quota)
    transcript.then("its runner comes up", world.start_runners)
    transcript.then("the runner works to the end", lambda: world.run_to_the_end("q1"))
    return transcript


def own_runner_of_a_suspended_question() -> Transcript:
    transcript = own_runner_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    transcript.then("its runner comes up", world.start_runners)
    transcript.then("the runner takes it up", lambda: world.run_a_step("q1"))
    transcript.then("spec.suspend is set", lambda: world.edit(world.deliberations["q1"], suspend=True))
    transcript.then("spec.suspend is taken back", lambda: world.edit(world.deliberations["q1"], suspend=False))
    transcript.then("its new runner comes up", world.start_runners)
    transcript.then("spec.cancel is set", lambda: world.edit(world.deliberations["q1"], cancel=True))
    return transcript


def council_takes_to_own_runners() -> Transcript:
    transcript = ready_transcript()
    world = transcript.world
    transcript.then("Deliberation q1 is created", lambda: world.create(deliberation()))
    change = world.councils["architects"]
    transcript.then("the Council changes to PerDeliberation", lambda: world.edit(change, runner=PER_DELIBERATION))
    transcript.then("Deliberation q2 is created", lambda: world.create(deliberation("q2")))
    transcript.then("the runner of q2 comes up", world.start_runners)
    transcript.then("the warm runner finishes q1", lambda: world.run_to_the_end("q1"))
    transcript.then("the runner of q2 works to the end", lambda: world.run_to_the_end("q2"))
    transcript.then("a few seconds pass", lambda: world.pass_time(SETTLED_AFTER_SECONDS))
    return transcript


SCENARIOS = (
    question_with_its_own_runner,
    own_runner_fails_and_the_next_one_finishes,
    own_runner_fails_three_times,
    own_runner_waits_for_quota,
    own_runner_of_a_suspended_question,
    council_takes_to_own_runners,
    happy_path,
    deliberation_before_council,
    kuberay_and_nats_come_late,
    nats_goes_away_mid_run,
    runner_dies,
    runner_never_answers,
    cancelled_mid_run,
    model_changes_before_the_old_one_goes,
    two_councils_share_and_part,
    endpoint_without_its_secret,
    impossible_quorum,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_operator_does_what_the_transcript_says(scenario: Callable[[], Transcript]) -> None:
    path = GOLDEN / f"{scenario.__name__}.yaml"
    text = yaml.safe_dump(scenario().steps, sort_keys=False, width=120, allow_unicode=True)
    if os.environ.get("WRITE_TRANSCRIPTS"):
        path.write_text(text)
    assert text == path.read_text()


def test_every_transcript_belongs_to_a_scenario() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {scenario.__name__ for scenario in SCENARIOS}
