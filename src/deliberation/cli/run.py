"""`council run`: answer Deliberations on this machine, from the manifests that a cluster would take."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import yaml

from deliberation.bus.port import BusUnavailableError
from deliberation.local.faults import BadInputError
from deliberation.local.manifests import NAMESPACE, Manifests, read_manifests
from deliberation.local.options import BusChoice, Options, read_api_keys, read_ca_bundles, read_endpoints
from deliberation.local.running import LocalRun, run
from deliberation.local.schema import HAS_CEL

if TYPE_CHECKING:
    from deliberation.local.operator import Finished

Body = dict[str, Any]

SUCCEEDED, FAILED, BAD_INPUT = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT

UNCHECKED = (
    "the rules of the schema are not checked here, only its types and bounds: install the extra `local` of this package"
)

STDIN = "-"
ENDINGS = (".yaml", ".yml", ".json")

DESCRIPTION = """\
Answer the Deliberations of some manifests without a cluster, and print each with the .status that the operator would
write. Simulated models are served by this command; endpoints are asked as declared; a vllm model needs --endpoint.

exit status: 0 if all succeeded, 1 if one failed or was cancelled, 2 if the input cannot be run.
Ctrl-C cancels and prints what there is; Ctrl-C again ends at once."""


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse's own type is private
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="answer Deliberations without a cluster",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        *("-f", "--filename"),
        action="append",
        required=True,
        dest="files",
        metavar="FILE",
        help="manifests: a file, a folder, or - for the standard input; may be given again",
    )
    parser.add_argument("-n", "--namespace", default=NAMESPACE, help="namespace of manifests that name none")
    parser.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", help="how to print (%(default)s)")
    parser.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="NAME=URL[,MODEL]",
        help="ask this OpenAI-compatible server for the model NAME of the Councils; MODEL is its name there",
    )
    parser.add_argument(
        "--api-key",
        action="append",
        default=[],
        metavar="NAME=env:VARIABLE|file:PATH",
        help="where the key of the model NAME is; it stands in for its Secret",
    )
    parser.add_argument(
        "--ca-bundle",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="certificates, in PEM, of those whom the https server of the model NAME must come from; for its ConfigMap",
    )
    parser.add_argument(
        "--bus",
        type=BusChoice,
        choices=tuple(BusChoice),
        default=BusChoice.AUTO,
        help="auto: a nats-server of the run's own where it is installed, else memory (%(default)s)",
    )
    parser.add_argument("--ray", action="store_true", help="run each seat as an actor of a local Ray")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing of how it goes")
    parser.set_defaults(command=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    try:
        manifests = read_manifests(_read_texts(arguments.files), arguments.namespace)
        options = Options(
            bus=arguments.bus,
            endpoints=read_endpoints(tuple(arguments.endpoint)),
            api_keys=read_api_keys(tuple(arguments.api_key), os.environ),
            ca_bundles=read_ca_bundles(tuple(arguments.ca_bundle)),
            on_ray=arguments.ray,
        )
        progress = Progress(sys.stderr, is_quiet=arguments.quiet)
        progress.begin(manifests)
        done = asyncio.run(_run_until_interrupted(manifests, options, progress))
    except BadInputError as error:
        for fault in error.faults:
            print(f"council run: {fault}", file=sys.stderr)  # noqa: T201 - a command speaks by print
        return BAD_INPUT
    except BusUnavailableError as error:
        print(f"council run: {error}", file=sys.stderr)  # noqa: T201 - as above
        return FAILED
    except asyncio.CancelledError:
        return INTERRUPTED
    progress.end(done)
    sys.stdout.write(print_all(done.finished, arguments.output))
    return SUCCEEDED if done.has_succeeded else FAILED


def print_all(finished: tuple["Finished", ...], output: str) -> str:
    """Return the objects, without their specs, as YAML documents or as JSON values one after the other."""
    bodies = [{key: one.body[key] for key in ("apiVersion", "kind", "metadata", "status")} for one in finished]
    if output == "json":
        return "".join(f"{json.dumps(body, ensure_ascii=False, indent=2)}\n" for body in bodies)
    return yaml.safe_dump_all(bodies, sort_keys=False, allow_unicode=True, width=120)


class Progress:
    """Tells how it goes: a line for each Deliberation whenever something has changed for people."""

    def __init__(self, output: TextIO, *, is_quiet: bool) -> None:
        self._output = output
        self._is_quiet = is_quiet
        self._last: dict[str, str] = {}

    def begin(self, manifests: Manifests) -> None:
        """Tell what is left out; and, also to those who want to hear nothing else, what is not checked."""
        for name in manifests.ignored:
            self._write(f"{name}: ignored, a local run needs Councils and Deliberations only")
        if not HAS_CEL:
            print(UNCHECKED, file=self._output)

    def tell(self, deliberation: Body) -> None:
        """Tell how far a Deliberation is."""
        status, name = deliberation["status"], deliberation["metadata"]["name"]
        progress = status.get("progress", {})
        ready: Body = next((one for one in status["conditions"] if one["type"] == "Ready"), {})
        told = ready.get("message", "")
        counts = f"{progress['proposals']} of {progress['expected']} proposals" if progress else told
        ballots = f", {progress['ballots']} ballots" if progress.get("ballots") else ""
        line = f"{name}: {status['phase']}: {counts}{ballots}".removesuffix(": ")
        if self._last.get(name) != line:
            self._last[name] = line
            self._write(line)

    def interrupt(self) -> None:
        """Tell what an interrupt does."""
        self._write("cancelling; once more ends at once")

    def end(self, done: LocalRun) -> None:
        """Tell what was used."""
        self._write(f"the ledger was kept by {done.bus}")

    def _write(self, line: str) -> None:
        if not self._is_quiet:
            print(line, file=self._output, flush=True)


async def _run_until_interrupted(manifests: Manifests, options: Options, progress: Progress) -> LocalRun:
    """Run; the first SIGINT or SIGTERM cancels the Deliberations, the second the run."""
    cancel = asyncio.Event()
    task = asyncio.ensure_future(run(manifests, options, tell=progress.tell, cancel=cancel))

    def interrupt() -> None:
        if cancel.is_set():
            task.cancel()
        else:
            progress.interrupt()
            cancel.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    return await task


def _read_texts(names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield name and content of every file, those of a folder in the order of their names.

    Raises:
        BadInputError: a file cannot be read, or a folder holds none.
    """
    for name in names:
        if name == STDIN:
            yield "standard input", sys.stdin.read()
            continue
        path = Path(name)
        files = sorted(file for file in path.iterdir() if file.suffix in ENDINGS) if path.is_dir() else [path]
        if not files:
            raise BadInputError([f"{name}: no {', '.join(ENDINGS)} in this folder"])
        for file in files:
            try:
                yield str(file), file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "it is no text"
                raise BadInputError([f"{file}: cannot be read: {why}"]) from None
