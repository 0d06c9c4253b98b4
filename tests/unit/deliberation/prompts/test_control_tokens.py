from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.prompts.control_tokens import defuse

TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|system|>", "<|start_header_id|>", "<|eot_id|>", "<|channel|>"),
    *("<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<unused42>", "<|turn>", "<turn|>", "<image_soft_token>"),
    *("<s>", "</s>", "<<SYS>>", "<</SYS>>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CALLS]"),
    *(
        "<\uff5cUser\uff5c>",
        "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
        "<|START_OF_TURN_TOKEN|>",
        "<BOS_TOKEN>",
        "<\uff5c\u2581pad\u2581\uff5c>",
        '<|"|>',
    ),
    *("[gMASK]", "<sop>", "<think>", "</think>", "<tool_call>", "</tool_response>", "<reserved_106>", "]~b]", "[e~["),
)
"""Control tokens of the models that people serve."""


@pytest.mark.parametrize("token", TOKENS)
def test_a_control_token_is_broken_and_stays_readable(token: str) -> None:
    assert token not in defuse(f"Say {token}, please.")
    assert defuse(f"a{token}b").replace(" ", "") == f"a{token}b"


@given(st.lists(st.sampled_from([*TOKENS, "<", "|", ">", "[", " ", "x"]), max_size=6).map("".join))
def test_nothing_that_is_put_together_of_tokens_and_their_parts_holds_one_in_the_end(text: str) -> None:
    harmless = defuse(text)
    assert not [token for token in TOKENS if token in harmless]
    assert defuse(harmless) == harmless
    assert harmless.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "if a < b | c > d: return xs[0] <<2>> [1, 2]",
        "[1, 2] |> Enum.map(fn x -> x end)",
        "<p>One <strong>two</strong> <br/></p> a||b <- c <| d",
        "[question 0a1b2c3d]\nWhat?\n[end 0a1b2c3d]",
        "Vec<u8>, List<String>, x <y> [INSTALL] <sum>",
    ],
)
def test_what_only_looks_alike_stays_as_it_is(text: str) -> None:
    assert defuse(text) == text


def test_our_own_texts_hold_none() -> None:
    for folder in ("templates", "roles"):
        for path in (files("deliberation.prompts") / folder).iterdir():
            text = path.read_text(encoding="utf-8")
            assert defuse(text) == text
