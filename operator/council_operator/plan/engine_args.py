"""Further flags of vLLM: what the schema cannot refuse.

vLLM's parser takes any unambiguous beginning of a flag for the flag, and underscores for dashes.
"""

from collections.abc import Iterable

from deliberation.api.v1alpha1.vllm import OWNED_FLAGS


def find_owned(arguments: Iterable[str]) -> str | None:
    """Return the first flag that the operator sets itself, written in whichever way; None when there is none."""
    return next((argument.partition("=")[0] for argument in arguments if _is_owned(argument)), None)


def _is_owned(argument: str) -> bool:
    flag = argument.partition("=")[0].removeprefix("--").replace("_", "-").partition(".")[0].rstrip("+")
    names = {flag, flag.removeprefix("no-")}
    return any(owned.startswith(name) for name in names for owned in OWNED_FLAGS)
