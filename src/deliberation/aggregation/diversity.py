"""How different the proposals are: agreement among echoes is no confirmation."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, islice

MAX_TOKENS = 1000
MAX_CHARACTERS = 10_000
"""Words and characters of a text that are looked at, from its beginning, so that long texts cost bounded time."""

SAME = 0.5
"""Texts of at most this distance say the same: they have at least half of their three-word sequences in common."""

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""A word; of Chinese, Japanese and Korean, which put no space between words, one character."""

_GRAM = 3


@dataclass(frozen=True)
class Diversity:
    """The mean distance of two texts (0: the same, 1: nothing in common), and the texts that say the same, together.

    `mean_distance` is None when there are no two texts.
    """

    mean_distance: float | None
    clusters: tuple[tuple[str, ...], ...]


def measure_diversity(texts: Mapping[str, str]) -> Diversity:
    """Return how far the texts, given by id, differ. The order in which they come does not matter.

    Distance is 1 - J, J being Jaccard's share of the three-word sequences of both texts that they have in common, case
    aside. A text of fewer words is one sequence. Clusters join texts by chains of pairs at most `SAME` apart; they
    come by their first id.
    """
    grams = {name: _grams(texts[name]) for name in sorted(texts)}
    distances = {(one, other): _distance(grams[one], grams[other]) for one, other in combinations(grams, 2)}
    mean = math.fsum(distances.values()) / len(distances) if distances else None
    return Diversity(mean, _join(tuple(grams), [pair for pair, distance in distances.items() if distance <= SAME]))


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    words = [found.group() for found in islice(_TOKEN.finditer(text[:MAX_CHARACTERS].casefold()), MAX_TOKENS)]
    if len(words) < _GRAM:
        return frozenset({tuple(words)})
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def _distance(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    common = len(one & other)
    return 1 - common / (len(one) + len(other) - common)


def _join(names: tuple[str, ...], near: list[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Return the names in groups that chains of near pairs hold together."""
    group_of = {name: [name] for name in names}
    for one, other in near:
        if group_of[one] is not group_of[other]:
            group_of[one] += group_of[other]
            for name in group_of[other]:
                group_of[name] = group_of[one]
    return tuple(tuple(sorted(group)) for name, group in group_of.items() if name == min(group))
