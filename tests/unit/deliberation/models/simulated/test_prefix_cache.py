"""What is cached is what a server that keeps whole blocks of tokens would not compute again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.models.simulated import prefix_cache
from deliberation.models.simulated.prefix_cache import BLOCK_CHARACTERS, BLOCK_TOKENS, PrefixCache, count_tokens


def test_tokens_are_fours_of_characters() -> None:
    assert [count_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_a_shared_beginning_is_cached_in_whole_blocks() -> None:
    cache = PrefixCache()
    beginning = "x" * (3 * BLOCK_CHARACTERS + 10)
    assert cache.count_cached_tokens(beginning + "one") == 0
    assert cache.count_cached_tokens(beginning + "two") == 3 * BLOCK_TOKENS


def test_a_difference_at_the_beginning_leaves_nothing_to_reuse() -> None:
    cache = PrefixCache()
    rest = "x" * (3 * BLOCK_CHARACTERS)
    cache.count_cached_tokens("role a" + " " * 58 + rest)
    assert cache.count_cached_tokens("role b" + " " * 58 + rest) == 0


def test_the_last_token_is_always_computed() -> None:
    cache = PrefixCache()
    prompt = "x" * (2 * BLOCK_CHARACTERS)
    cache.count_cached_tokens(prompt)
    assert cache.count_cached_tokens(prompt) == BLOCK_TOKENS


def test_what_was_not_used_for_long_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_cache, "MAX_BLOCKS", 4)
    cache = PrefixCache()
    old, new = "a" * 4 * BLOCK_CHARACTERS, "b" * 4 * BLOCK_CHARACTERS
    cache.count_cached_tokens(old)
    cache.count_cached_tokens(new)
    assert cache.count_cached_tokens(old) == 0


@given(st.lists(st.text(max_size=300), max_size=6))
def test_no_more_is_cached_than_the_prompt_has(prompts: list[str]) -> None:
    cache = PrefixCache()
    for prompt in prompts:
        assert 0 <= cache.count_cached_tokens(prompt) <= max(count_tokens(prompt) - 1, 0)
