"""What the memory bench queues, and how it reads a process."""

import os

from bench.memory_of_the_driver import build_tasks, read_resident_mib
from deliberation.runner.persist import run_of


def test_every_task_is_a_run_of_its_own_at_the_given_model() -> None:
    tasks = list(build_tasks(3, seats=2, model_url="http://127.0.0.1:1/v1"))
    assert len({run_of(task) for task in tasks}) == 3
    assert {task.models[0].base_url for task in tasks} == {"http://127.0.0.1:1/v1"}
    assert {len(task.seats) for task in tasks} == {2}


def test_resident_memory_is_read_in_mebibytes() -> None:
    assert 5 < read_resident_mib(os.getpid()) < 100_000
