"""A fake of what KubeRay, Kueue and people do to the RayJobs of a fake world."""

from typing import Any

from council_operator.plan import health
from council_operator.plan.health import RunnerState
from council_operator.render import labels
from council_operator.status.conditions import format_time

Body = dict[str, Any]


class FakeKubeRay:
    """The part of a fake world that is about RayJobs."""

    now_ms: int
    children: dict[tuple[str, str], Body]
    deliberations: dict[str, Body]
    pods: list[Body]
    beats_ms: dict[str, int]

    def start_runners(self) -> None:
        """Have every RayJob that has not ended run and beat, and every suspended one lose its cluster."""
        for body in self._live("RayJob"):
            if health.read_runner(body) is RunnerState.ENDED:
                continue
            if body["spec"].get("suspend"):
                body["status"] = {"jobDeploymentStatus": "Suspended", "jobStatus": ""}
                continue
            started = body["status"].get("startTime") or format_time(self.now_ms)
            body["status"] = {
                "jobDeploymentStatus": "Running",
                "jobStatus": "RUNNING",
                "rayClusterName": f"{body['metadata']['name']}-x",
                "startTime": started,
                "rayJobInfo": {"startTime": started},
            }
        self.beat()

    def beat(self) -> None:
        """Have every running runner be heard of."""
        for body in self._live("RayJob"):
            if body["status"].get("jobDeploymentStatus") == "Running":
                self.beats_ms[body["metadata"]["name"]] = self.now_ms

    def lose_heads(self) -> None:
        """Have the head of every runner be replaced by a younger one, as KubeRay does, which knows no job."""
        self.pods = []
        for body in self._live("RayJob"):
            name = body["metadata"]["name"]
            body["status"]["rayJobInfo"] = {"startTime": format_time(self.now_ms - 60_000)}
            head = {"app.kubernetes.io/instance": name, "ray.io/node-type": "head"}
            running = {"name": "ray", "state": {"running": {"startedAt": format_time(self.now_ms)}}}
            self.pods.append({"metadata": {"name": "head", "labels": head}, "status": {"containerStatuses": [running]}})

    def own_ray_jobs(self, name: str) -> list[Body]:
        """Return the RayJobs of a Deliberation's own runner."""
        wanted = {labels.DELIBERATION_LABEL: self.deliberations[name]["metadata"]["uid"]}.items()
        return [body for body in self._live("RayJob") if wanted <= body["metadata"]["labels"].items()]

    def delete_own_runner(self, name: str) -> None:
        """Have somebody delete the RayJob of a Deliberation's own runner that has not ended."""
        for body in self.own_ray_jobs(name):
            if health.read_runner(body) is not RunnerState.ENDED:
                del self.children["RayJob", body["metadata"]["name"]]

    def resume_runners(self) -> None:
        """Have Kueue give every RayJob its quota."""
        for body in self._live("RayJob"):
            body["spec"]["suspend"] = False

    def end_runners(self, status: Body) -> None:
        """Have every RayJob end that has not."""
        for body in self._live("RayJob"):
            if health.read_runner(body) is not RunnerState.ENDED:
                body["status"] = {"endTime": format_time(self.now_ms), **status}

    def _live(self, kind: str) -> list[Body]:
        return [body for (of_kind, _), body in self.children.items() if of_kind == kind]
