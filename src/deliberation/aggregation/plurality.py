"""Plurality: the answer with the most weight behind it wins; what counts as one answer is declared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import comb
from statistics import median_low

from deliberation.aggregation.answers import fold_text, spell_number
from deliberation.aggregation.comparisons import Scores
from deliberation.api.v1alpha1.deliberation import Answer, AnswerType

ENOUGH_CONFIDENCE = Fraction(95, 100)
"""How likely the first answer's lead must be a true one. Four votes for one answer, and none for others, are the fewest
that reach it (31/32)."""


@dataclass(frozen=True)
class Vote:
    """One seat's answer, in its one spelling. `tokens` (what it cost) decides nothing but the order of equals."""

    seat: str
    answer: str
    weight_milli: int
    tokens: int = 0


@dataclass(frozen=True)
class Cluster:
    """The seats that gave one answer, those first that gave it in the very words of `answer`."""

    answer: str
    seats: tuple[str, ...]
    weight_milli: int


def count_votes(votes: Iterable[Vote], answer: Answer) -> tuple[Cluster, ...]:
    """Return the answers, the one with most weight first; of equals first the one that cost fewer tokens, then by seat.

    The order in which votes come does not matter.
    """
    ordered = sorted(votes, key=_precedence)
    groups = _group_numbers(ordered, answer) if answer.type is AnswerType.NUMBER else _group_words(ordered, answer)
    ranked = sorted(groups, key=lambda group: (-_weight(group), _precedence(group[0])))
    return tuple(_build_cluster(group, answer) for group in ranked)


def is_decided(votes: Iterable[Vote], outstanding_milli: int, answer: Answer) -> bool:
    """Return whether the answer that is first now will be first, alone, whatever the outstanding weight goes to.

    Numbers with a tolerance are never decided early: another number can regroup those that are there.
    """
    if answer.tolerance_milli:
        return False
    weights = [cluster.weight_milli for cluster in count_votes(votes, answer)]
    return has_unassailable_lead(weights, outstanding_milli)


def has_unassailable_lead(weights_milli: Iterable[int], outstanding_milli: int) -> bool:
    """Return whether the heaviest of the answers outweighs any other, a new one too, with all outstanding weight."""
    first, second = (*sorted(weights_milli, reverse=True), 0, 0)[:2]
    return first > second + outstanding_milli


def is_probably_decided(votes: Iterable[Vote], answer: Answer) -> bool:
    """Return whether the answer that is first now is, with `ENOUGH_CONFIDENCE`, more frequent than the next.

    Every vote is one draw, whatever its weight: a weight is no number of draws.
    """
    if answer.tolerance_milli:
        return False
    clusters = count_votes(votes, answer)
    if not clusters:
        return False
    first, *others = (len(cluster.seats) for cluster in clusters)
    return find_confidence(first, max(others, default=0)) >= ENOUGH_CONFIDENCE


def find_confidence(first: int, second: int) -> Fraction:
    """Return the chance that voters prefer the first of two answers, after so many votes for either.

    It is 1 - I(first + 1, second + 1), with I the regularised incomplete beta function at one half: how much of the
    belief in the first one's share lies above one half, if all shares were as likely before (Aggarwal et al.,
    Adaptive-Consistency, arXiv 2305.11860). For whole numbers that is the chance of at most `first` heads in
    first + second + 1 tosses of a coin.
    """
    tosses = first + second + 1
    return Fraction(sum(comb(tosses, heads) for heads in range(first + 1)), 2**tosses)


def count_first_places(scores: Scores, weights: Mapping[str, int]) -> dict[str, Fraction]:
    """Return for each item the weight of the judges who put it first, in thousandths.

    A judge who puts several first shares its weight out among them.
    """
    places: dict[str, Fraction] = {}
    for judge, ranked in scores.items():
        best = max(ranked.values(), default=None)
        first = [item for item, score in ranked.items() if score == best]
        for item in first:
            places[item] = places.get(item, Fraction(0)) + Fraction(weights[judge], len(first))
    return places


def _precedence(vote: Vote) -> tuple[int, str]:
    return vote.tokens, vote.seat


def _weight(group: list[Vote]) -> int:
    return sum(vote.weight_milli for vote in group)


def _group_words(votes: list[Vote], answer: Answer) -> list[list[Vote]]:
    """Return one group per answer: free texts are one when they differ in case and white space only."""
    groups: dict[str, list[Vote]] = {}
    for vote in votes:
        words = fold_text(vote.answer) if answer.type is AnswerType.TEXT else vote.answer
        groups.setdefault(words, []).append(vote)
    return list(groups.values())


def _group_numbers(votes: list[Vote], answer: Answer) -> list[list[Vote]]:
    """Return groups within which no two numbers are further apart than the tolerance.

    Being within the tolerance is not transitive, so groups are a choice: the heaviest possible group is taken first, of
    equals the one with the smallest numbers, then the heaviest of what is left.
    """
    tolerance = Decimal(answer.tolerance_milli or 0) / 1000
    left, groups = votes, []
    while left:
        lowest_values = sorted({Decimal(vote.answer) for vote in left})
        candidates = ([v for v in left if low <= Decimal(v.answer) <= low + tolerance] for low in lowest_values)
        heaviest = max(candidates, key=_weight)
        groups.append(heaviest)
        left = [vote for vote in left if vote not in heaviest]
    return groups


def _build_cluster(group: list[Vote], answer: Answer) -> Cluster:
    """Return the group under its first seat's words; numbers that differ are shown by the (lower) median one."""
    shown = group[0].answer
    if answer.type is AnswerType.NUMBER:
        shown = spell_number(median_low(Decimal(vote.answer) for vote in group))
    in_these_words_first = sorted(group, key=lambda vote: vote.answer != shown)
    return Cluster(shown, tuple(vote.seat for vote in in_these_words_first), _weight(group))
