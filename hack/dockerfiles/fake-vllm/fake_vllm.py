"""A fake of vLLM's API server: takes the flags that the operator writes, and serves a simulated model. No GPU is used.

It lies where vLLM's own module would, so that a pod rendered for vLLM starts it unchanged. It refuses a flag that it
does not know, as vLLM does, and a name under which it could be taken for a real model.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from aiohttp import web

from deliberation.models.simulated.answering import Traits
from deliberation.models.simulated.server import MARK, SimulatedModel, build_app

_TAKEN = (
    "--gpu-memory-utilization",
    "--kv-cache-memory-bytes",
    "--max-model-len",
    "--max-num-batched-tokens",
    "--model",
    "--revision",
    "--scheduling-policy",
    "--structured-outputs-config",
    "--tensor-parallel-size",
)
_SWITCHES = ("--enable-prefix-caching", "--enable-prompt-tokens-details", "--enforce-eager")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser: vLLM's flags, and three that only a fake has."""
    parser = argparse.ArgumentParser(prog="fake-vllm", description="A fake of vLLM for tests.", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--served-model-name", required=True, type=_fake_name)
    parser.add_argument("--shutdown-timeout", type=int, default=0)
    parser.add_argument("--max-num-seqs", type=int)
    for flag in _TAKEN:
        parser.add_argument(flag)
    for flag in _SWITCHES:
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--fake-start-seconds", type=float, default=0, help="how long it seems to load weights")
    parser.add_argument("--fake-latency-milliseconds", type=int, default=0, help="how long it seems to think")
    parser.add_argument("--fake-batch", type=int, help="calls at a time, whatever --max-num-seqs allows")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, then drain; return the exit code."""
    options = build_parser().parse_args(arguments)
    print("This is a FAKE of vLLM: simulated answers, no weights, no GPU.", flush=True)
    time.sleep(options.fake_start_seconds)
    batch = options.fake_batch or options.max_num_seqs
    traits = Traits(latency_milliseconds=options.fake_latency_milliseconds, batch=batch)
    app = build_app(SimulatedModel(options.served_model_name, traits, os.environ.get("VLLM_API_KEY")))
    web.run_app(app, port=options.port, access_log=None, shutdown_timeout=options.shutdown_timeout)
    return 0


def _fake_name(text: str) -> str:
    if MARK not in text.lower():
        raise argparse.ArgumentTypeError(f"a fake serves only names that hold the word {MARK!r}, and not {text!r}")
    return text


if __name__ == "__main__":
    sys.exit(main())
