"""Whatever a server answers is read or refused; nothing of it gets out in an error."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deliberation.models.replies import (
    MAX_TOKENS,
    MalformedReplyError,
    read_completion,
    read_model_names,
    read_usage,
)
from deliberation.protocol.entries import Usage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "prompt_tokens", "data", "id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"choices":[{}]}')
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for read in (read_completion, read_model_names):
        try:
            read(body)
        except MalformedReplyError as error:
            assert str(error).startswith("it ")  # noqa: PT017 - either outcome is right
    assert read_usage(body).calls == 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [(7, 7), (-7, 0), (True, 0), ("7", 0), (7.5, 0), (None, 0), ([7], 0), (10**30, MAX_TOKENS)],
)
def test_counts_are_whole_numbers_within_reason(count: Any, expected: int) -> None:
    body = json.dumps({"usage": {"prompt_tokens": count, "prompt_tokens_details": {"cached_tokens": count}}}).encode()
    assert read_usage(body) == Usage(calls=1, prompt_tokens=expected, cached_tokens=expected)


@pytest.mark.parametrize("content", [None, 7, ["a"], {}])
def test_a_message_without_text_has_an_empty_one(content: Any) -> None:
    reply = read_completion(
        json.dumps({"choices": [{"message": {"content": content}, "finish_reason": None}]}).encode()
    )
    assert (reply.text, reply.finish_reason) == ("", "")
