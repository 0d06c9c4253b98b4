"""Entry: `python -m deliberation.models.simulated --model-name simulated`. Serves until SIGTERM, then drains."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web

from deliberation.models.simulated.answering import Traits
from deliberation.models.simulated.server import SimulatedModel, build_app

DRAIN_SECONDS = 20.0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    usual = Traits()
    parser = argparse.ArgumentParser(
        prog="python -m deliberation.models.simulated",
        description="Serve a model that only pretends, over the API of OpenAI. COUNCIL_API_KEY holds the key, if any.",
    )
    parser.add_argument("--model-name", required=True, help="name under which it is served")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen at")  # noqa: S104 - it serves a pod's Service
    parser.add_argument("--port", type=_whole(0, 65_535), default=8000)
    parser.add_argument("--accuracy-percent", type=_whole(0, 100), default=usual.accuracy_percent)
    parser.add_argument("--latency-milliseconds", type=_whole(0, 600_000), default=usual.latency_milliseconds)
    parser.add_argument("--failure-percent", type=_whole(0, 100), default=usual.failure_percent)
    parser.add_argument("--malformed-percent", type=_whole(0, 100), default=usual.malformed_percent)
    parser.add_argument("--seed", type=_whole(0, 2**31 - 1), default=usual.seed)
    parser.add_argument("--no-decisions", action="store_true", help="be without /v1/decisions, as vLLM 0.32 is")
    parser.add_argument("--api-key-file", type=Path, help="file that holds the key, instead of COUNCIL_API_KEY")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    options = build_parser().parse_args(arguments)
    traits = Traits(
        accuracy_percent=options.accuracy_percent,
        latency_milliseconds=options.latency_milliseconds,
        failure_percent=options.failure_percent,
        malformed_percent=options.malformed_percent,
        seed=options.seed,
        has_decisions=not options.no_decisions,
    )
    key = os.environ.get("COUNCIL_API_KEY")
    if options.api_key_file:
        try:
            key = options.api_key_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            print(f"The API key cannot be read: {error}", file=sys.stderr)  # noqa: T201 - a command speaks by print
            return 2
    app = build_app(SimulatedModel(options.model_name, traits, key or None))
    web.run_app(app, host=options.host, port=options.port, access_log=None, shutdown_timeout=DRAIN_SECONDS)
    return 0


def _whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds."""

    def whole_number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return whole_number


if __name__ == "__main__":
    sys.exit(main())
