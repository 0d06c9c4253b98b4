import pytest

from council_operator.plan.engine_args import find_owned
from deliberation.api.v1alpha1.vllm import OWNED_FLAGS


@pytest.mark.parametrize("flag", OWNED_FLAGS)
def test_a_flag_of_the_operators_is_found_however_it_is_written(flag: str) -> None:
    for written in (flag, flag.replace("-", "_"), f"no-{flag}", f"{flag}=1", f"{flag}.key=1", flag[:-1]):
        assert find_owned([f"--{written}"]) == f"--{written.partition('=')[0]}"


@pytest.mark.parametrize(
    "argument",
    [
        "--max-num-batched-tokens=2048",
        "--max-num-seqs=8",
        "--enforce-eager",
        "--enable-lora-bias",
        "--kv-cache-dtype=fp8",
    ],
)
def test_other_flags_are_the_users(argument: str) -> None:
    assert find_owned([argument]) is None


def test_a_value_is_no_flag() -> None:
    assert find_owned(["--chat-template=--port=1", "--seed=1"]) is None
