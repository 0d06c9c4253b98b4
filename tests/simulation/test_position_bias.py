"""A judge that likes the first place: one order misleads, two orders cancel it out, and their agreement tells.

The judge prefers what it reads first with probability 1 / (1 + exp(-(gap + bias))), `gap` being how much better that is
(research: Zheng et al., arXiv 2306.05685). Verdicts are enumerated; gaps are integrated over their distribution, the
difference of two qualities of standard deviation 2 each.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest

from deliberation.aggregation.bias import measure_position_consistency
from deliberation.aggregation.borda import borda
from deliberation.aggregation.comparisons import compare

BIASES = (0.0, 1.0, 2.0)
SPREAD = math.sqrt(2.0**2 + 2.0**2)


def prefers_first(gap: float, bias: float) -> float:
    return 1 / (1 + math.exp(-(gap + bias)))


@dataclass(frozen=True)
class Verdict:
    """What a judge makes of the better and the worse answer, reading the better one first and then last."""

    chance: float
    first: dict[str, int]
    second: dict[str, int]

    @property
    def consistent(self) -> bool:
        return measure_position_consistency([(self.first, self.second)]) == 1

    @property
    def share_of_better(self) -> Fraction:
        """Return the better answer's share of both readings together."""
        readings = {"first reading": self.first, "second reading": self.second}
        return borda(compare(("better", "worse"), readings, dict.fromkeys(readings, 1000)))["better"]


def verdicts(gap: float, bias: float) -> Iterator[Verdict]:
    wins_first, wins_last = prefers_first(gap, bias), 1 - prefers_first(-gap, bias)
    for first in (1, 0):
        for second in (1, 0):
            chance = (wins_first if first else 1 - wins_first) * (wins_last if second else 1 - wins_last)
            yield Verdict(chance, {"better": first, "worse": 1 - first}, {"better": second, "worse": 1 - second})


@pytest.mark.parametrize(("bias", "wins"), list(zip(BIASES, (0.499, 0.732, 0.881), strict=True)))
def test_of_equal_answers_the_first_wins_by_its_place_alone(bias: float, wins: float) -> None:
    found = list(verdicts(0.0, bias))
    one_order = sum(verdict.chance * verdict.first["better"] for verdict in found)
    two_orders = sum(verdict.chance * verdict.share_of_better for verdict in found)
    assert one_order == pytest.approx(wins, abs=0.0142)
    assert two_orders == pytest.approx(0.5)


def integrate(bias: float) -> tuple[float, float, float]:
    """Return how often two readings agree, how often they are right then, and how often a single reading is."""
    agreeing = right = right_at_once = weights = 0.0
    for step in range(1, 1201):
        gap = step / 100
        weight = math.exp(-0.5 * (gap / SPREAD) ** 2)
        weights += weight
        for verdict in verdicts(gap, bias):
            share = weight * verdict.chance
            agreeing += share * verdict.consistent
            right += share * (verdict.consistent and verdict.share_of_better == 1)
            right_at_once += share * (verdict.first["better"] + verdict.second["better"]) / 2
    return agreeing / weights, right / agreeing, right_at_once / weights


@pytest.mark.parametrize(
    ("bias", "consistent", "right_if_consistent", "right_at_once"),
    list(zip(BIASES, (0.76, 0.69, 0.53), (0.932, 0.940, 0.956), (0.828, 0.804, 0.741), strict=True)),
)
def test_readings_that_agree_are_right_more_often(
    bias: float, consistent: float, right_if_consistent: float, right_at_once: float
) -> None:
    assert integrate(bias) == pytest.approx((consistent, right_if_consistent, right_at_once), abs=0.0142)
