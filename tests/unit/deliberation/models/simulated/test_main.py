"""The command: what it refuses, and how it ends."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from deliberation.models.simulated.__main__ import build_parser, main

SOON = 30


async def test_it_finishes_what_it_has_begun_when_it_is_asked_to_end() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", "deliberation.models.simulated", "--model-name=simulated", "--host=127.0.0.1"),
        *("--port=0", "--latency-milliseconds=700"),
        env={**os.environ, "COUNCIL_API_KEY": "secret"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SOON), aiohttp.ClientSession() as session:
            url = await read_url(process)
            body = {"model": "simulated", "messages": [{"role": "user", "content": "Which way?"}]}
            headers = {"Authorization": "Bearer secret"}
            begun = asyncio.create_task(
                session.post(f"{url}/v1/chat/completions", json=body, headers=headers).__aenter__()
            )
            while not await count_waiting(session, url):
                pass
            process.send_signal(signal.SIGTERM)
            response = await begun
            assert response.status == 200
            assert "Simulated" in await response.text()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def read_url(process: asyncio.subprocess.Process) -> str:
    """Return the address that the server prints."""
    assert process.stdout
    async for line in process.stdout:
        if found := re.search(rb"http://127\.0\.0\.1:\d+", line):
            return found[0].decode()
    raise AssertionError("the server ended")


async def count_waiting(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(f"{url}/stats") as response:
        return int((await response.json())["waiting"])


@pytest.mark.parametrize(
    "flag", ["--accuracy-percent=101", "--failure-percent=-1", "--port=65536", "--seed=x", "--latency-milliseconds=0.5"]
)
def test_numbers_out_of_bounds_are_refused(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--model-name=simulated", flag])
    assert flag.partition("=")[0] in capsys.readouterr().err


def test_a_key_file_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model-name=simulated", f"--api-key-file={tmp_path / 'absent'}"]) == 2
    assert "The API key cannot be read" in capsys.readouterr().err
