"""Several vLLM servers side by side on one real GPU, each with the memory that the plan gives it: all of them answer.

No cluster is needed. The servers are processes, started one after the other as their turns say, from the command lines
that are rendered for pods. What this shows and the doubles cannot: that the shares leave room for each other.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from gpu.planned import VLLM_PYTHON, Card, Command, commands_on, find_obstacle, read_cards
from gpu.tiny_model import write_tiny_model

SERVERS = 3
SLICES = 4
START_SECONDS = 300.0
ANSWER_SECONDS = 60.0
LOOK_SECONDS = 0.5

pytestmark = pytest.mark.timeout(SERVERS * int(START_SECONDS) + 300)


def list_cards() -> list[Card]:
    """Return the GPUs of this machine."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total,memory.used", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60)
    return read_cards(done.stdout) if done.returncode == 0 else []


@pytest.fixture(scope="module")
def card() -> Card:
    """The first GPU of this machine, if vLLM can be tried on it."""
    cards = list_cards()
    obstacle = find_obstacle(cards, has_vllm=find_spec("vllm") is not None)
    if obstacle:
        pytest.skip(obstacle)
    return cards[0]


def test_servers_on_slices_of_one_gpu_all_answer_and_keep_to_their_shares(card: Card, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny")
    commands = commands_on(card, SERVERS, SLICES, free_ports(SERVERS), str(tmp_path))
    assert len(commands) == SERVERS
    taken = card.used_mib
    with ExitStack() as running:
        for number, command in enumerate(commands):
            running.enter_context(serving(command, tmp_path / f"server-{number}.log"))
            before, taken = taken, list_cards()[0].used_mib
            assert taken - before <= command.share_mib, f"server {number} took more than its share"
        with ThreadPoolExecutor(SERVERS) as asking:
            answers = list(asking.map(ask, commands))
    assert [answer["usage"]["completion_tokens"] for answer in answers] == [16] * SERVERS


@contextmanager
def serving(command: Command, log: Path) -> Iterator[None]:
    """Run a server from when it is healthy, and end it."""
    line = [sys.executable, *VLLM_PYTHON[1:], *command.arguments]
    environment = {**os.environ, **command.environment, "CUDA_VISIBLE_DEVICES": "0"}
    with log.open("wb") as output, subprocess.Popen(line, env=environment, stdout=output, stderr=output) as process:
        try:
            await_health(command, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()


def await_health(command: Command, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return as soon as the server answers; fail with the end of its log if it ends, or takes too long."""
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url_of(command)}/health", timeout=5):  # noqa: S310 - a loopback address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(LOOK_SECONDS)
    raise AssertionError(f"vLLM did not come up:\n{log.read_text(errors='replace')[-6000:]}")


def ask(command: Command) -> dict[str, dict[str, int]]:
    """Return one completion of exactly 16 tokens."""
    body = {"model": command.model, "prompt": "one GPU", "max_tokens": 16, "ignore_eos": True}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url_of(command)}/v1/completions", json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:  # noqa: S310 - the loopback address above
        answer: dict[str, dict[str, int]] = json.loads(reply.read())
        return answer


def url_of(command: Command) -> str:
    port = next(text for text in command.arguments if text.startswith("--port=")).partition("=")[2]
    return f"http://127.0.0.1:{port}"


def free_ports(number: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
