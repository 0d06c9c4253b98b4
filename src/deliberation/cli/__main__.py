"""Entry: `council`, or `python -m deliberation.cli`."""

import argparse
import logging
import sys
from collections.abc import Sequence

from deliberation.cli import run


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="council", description="LLM councils, declared as Kubernetes objects.")
    run.add_parser(parser.add_subparsers(required=True, metavar="COMMAND"))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    options = build_parser().parse_args(arguments)
    status: int = options.command(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
