"""Tokens, and which of them a server with a prefix cache would not compute again."""

from collections import OrderedDict

CHARACTERS_PER_TOKEN = 4
BLOCK_TOKENS = 16
"""Tokens that a real server caches together."""

BLOCK_CHARACTERS = BLOCK_TOKENS * CHARACTERS_PER_TOKEN
MAX_BLOCKS = 65_536


def count_tokens(text: str) -> int:
    """Return the tokens of a text: one for each four characters begun."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


class PrefixCache:
    """Whole blocks of prompts, each known by everything up to its end; the least used are forgotten first."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def count_cached_tokens(self, prompt: str) -> int:
        """Return how many tokens at the beginning of the prompt were seen before, and remember all of it.

        As in a real server only whole blocks count, and never the last token: it must be computed to go on from.
        """
        usable = max(count_tokens(prompt) - 1, 0) // BLOCK_TOKENS
        cached = 0
        key = 0
        for block in range(len(prompt) // BLOCK_CHARACTERS):
            key = hash((key, prompt[block * BLOCK_CHARACTERS : (block + 1) * BLOCK_CHARACTERS]))
            if key in self._blocks:
                cached += cached == block
                self._blocks.move_to_end(key)
            else:
                self._blocks[key] = None
        while len(self._blocks) > MAX_BLOCKS:
            self._blocks.popitem(last=False)
        return min(cached, usable) * BLOCK_TOKENS
