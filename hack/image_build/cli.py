"""The command `hack/images`: results on standard output, what builders and refusals say on standard error."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from clusters.errors import Refusal, StepFailed
from clusters.folders import from_environment
from image_build.chosen_model import MODEL_VARIABLE, check_model_folder
from image_build.pruning import prune
from image_build.recipes import read_recipes
from image_build.store import Store

INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status: 0 done, 1 a step failed, 2 refused, 130 interrupted."""
    wanted = _parser().parse_args(arguments)
    store = Store(from_environment().cache)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(store, wanted)
    except Refusal as refusal:
        print(f"hack/images: {refusal.reason}\n  {refusal.remedy}", file=sys.stderr)
        return 2
    except StepFailed as failure:
        print(f"hack/images: failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hack/images: interrupted; finished images are kept, run the same command to go on", file=sys.stderr)
        return INTERRUPTED


def _run(store: Store, wanted: argparse.Namespace) -> int:
    if wanted.command == "names":
        print("\n".join(read_recipes()))
        return 0
    if wanted.command == "path":
        return _print_path(store, wanted.name)
    if wanted.command == "prune":
        print(f"{prune(store.cache) / 1e9:.1f} GB freed; images and models that are finished stay")
        return 0
    if wanted.command == "model":
        print(_prepare_model(store))
        return 0
    return _build(store, wanted.names)


def _build(store: Store, names: list[str]) -> int:
    recipes = read_recipes()
    for recipe in recipes.values():
        if names and recipe.name not in names and "all" not in names:
            continue
        if store.archive(recipe).exists():
            print(f"{recipe.name}: cached", flush=True)
            continue
        began = time.monotonic()
        print(f"{recipe.name}: building {recipe.reference}", flush=True)
        archive = store.build(recipe)
        megabytes = archive.stat().st_size / 1e6
        print(f"{recipe.name}: built in {time.monotonic() - began:.0f} s, {megabytes:.0f} MB", flush=True)
    return 0


def _print_path(store: Store, name: str) -> int:
    archive = store.archive(read_recipes()[name])
    if not archive.exists():
        raise Refusal(f"The image '{name}' is not built from the present sources.", f"hack/images build {name}")
    print(archive)
    return 0


def _prepare_model(store: Store) -> Path:
    chosen = os.environ.get(MODEL_VARIABLE)
    return check_model_folder(Path(chosen)) if chosen else store.prepare_model()


def _parser() -> argparse.ArgumentParser:
    names = list(read_recipes())
    top = argparse.ArgumentParser(prog="hack/images", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="build images; those that are there are left as they are")
    build.add_argument("names", nargs="*", choices=[*names, "all", []], metavar="NAME", help=", ".join(names))
    path = commands.add_parser("path", help="print where an image's archive lies")
    path.add_argument("name", choices=names, metavar="NAME")
    commands.add_parser(
        "prune", help="remove what only makes later builds faster: layers, and the store for new clusters"
    )
    commands.add_parser("names", help="print the images' names")
    commands.add_parser("model", help=f"prepare the small real model, or check {MODEL_VARIABLE}, and print its folder")
    return top


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
