"""Text of users and models, kept from reaching a model as control tokens.

A server renders the messages into one string by the model's chat template and cuts that into tokens: where a text
spells a control token, such as the one that ends a turn, the model reads the token itself, and the text could go on as
another speaker (transformers issue 29279, vLLM pull request 31735). So every spelling of a control token that we know
is broken by a space after its first character. A space is seen by whoever reads it, and survives what tokenizers do to
text; an invisible character would be copied into answers.
"""

import re

_WORDS = (
    *("s", "bos", "eos", "pad", "unk", "mask", "sop", "eop", "think", "tool_call", "tool_response", "image"),
    *("BOS_TOKEN", "EOS_TOKEN", "<SYS>", "image_soft_token", r"\w+_of_\w+", r"unused\d+", r"reserved_\d+"),
)
"""Names between angle brackets: of Llama, Gemma, Mistral, GLM, Qwen, Cohere and Baichuan models."""

_CAPITALS = (
    *("INST", "SYSTEM_PROMPT", "AVAILABLE_TOOLS", "TOOL_CALLS", "TOOL_RESULTS", "TOOL_CONTENT", "CALL_ID", "ARGS"),
    *("THINK", "MODEL_SETTINGS", "IMG", "IMG_BREAK", "IMG_END", "PREFIX", "MIDDLE", "SUFFIX", "gMASK", "sMASK", "MASK"),
    r"UNUSED_TOKEN_\d+",
)
"""Names between square brackets: of Mistral, GLM and InternLM models."""

_BEGINNINGS = re.compile(
    rf"<(?=[|\uff5c][\w\u2581\"])|<(?=/?(?:{'|'.join(_WORDS)})>)|<(?=</SYS>>)"
    rf"|\[(?=/?(?:{'|'.join(_CAPITALS)})\])"
    r"|(?<=[\w\u2581\"])[|\uff5c](?=>)"
    r"|\](?=~!?b[\[\]])|\[(?=e~\[)"
)
"""The first characters of control tokens. Of the forms `<|name|>`, `<|name>` and `<name|>` every name is taken for one,
with the wide bar and underline of DeepSeek models, too. The last line is of MiniMax models."""


def defuse(text: str) -> str:
    """Return the text with every known spelling of a control token broken; whatever else it says stays as it is."""
    return _BEGINNINGS.sub(r"\g<0> ", text)
