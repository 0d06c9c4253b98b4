"""Scores of several judges, made comparable: each judge's scale is its own, so only its differences count."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FLAT = 1e-3
"""A judge whose scores differ by less than this (as a standard deviation) told no differences."""

_NOISE = 1e-9
"""Differences below this are rounding, not judgement."""


@dataclass(frozen=True)
class Estimate:
    """A weighted mean of `count` values; `stderr` is its standard error, unknown below two values."""

    mean: float
    stderr: float | None
    count: int


UNSCORED = Estimate(mean=0.0, stderr=None, count=0)
"""What stands for a proposal that nobody scored: average, for nothing is known against or for it."""


def standardise(scores: Mapping[str, float]) -> dict[str, float]:
    """Return one judge's scores as z-scores: the distance from the judge's mean in (population) standard deviations.

    A judge's leniency and the width of its scale vanish. All zero when the scores are flat. Not monotone: raising the
    best score can draw the others closer together.
    """
    if not scores:
        return {}
    mean = math.fsum(scores.values()) / len(scores)
    deviation = math.sqrt(math.fsum((score - mean) ** 2 for score in scores.values()) / len(scores))
    if deviation < FLAT:
        return dict.fromkeys(scores, 0.0)
    return {item: (score - mean) / deviation for item, score in scores.items()}


def estimate(values: Sequence[float], weights: Sequence[int]) -> Estimate:
    """Return the weighted mean m of the values x with weights w, and its standard error.

    SE^2 = n / (n - 1) * sum(w^2 * (x - m)^2) / sum(w)^2, the estimator of Cochran, Sampling Techniques (1977), that
    Gatz and Smith, Atmospheric Environment 29 (1995) 1185, found closest to the bootstrap. With equal weights it is
    s / sqrt(n).
    """
    if not values:
        return UNSCORED
    total = sum(weights)
    pairs = tuple(zip(values, weights, strict=True))
    mean = math.fsum(value * weight for value, weight in pairs) / total
    if len(values) == 1:
        return Estimate(mean, None, 1)
    spread = math.fsum((weight * (value - mean)) ** 2 for value, weight in pairs)
    return Estimate(mean, math.sqrt(spread * len(values) / (len(values) - 1)) / total, len(values))


def is_ahead(better: Estimate, worse: Estimate) -> bool:
    """Return whether `better` leads by at least the standard error of the difference, SE = sqrt(SE1^2 + SE2^2).

    That takes the two as independent. Where one standard error is unknown, any lead is a lead.
    """
    lead = better.mean - worse.mean
    if lead <= _NOISE:
        return False
    if better.stderr is None or worse.stderr is None:
        return True
    return lead + _NOISE >= math.hypot(better.stderr, worse.stderr)


def order_key(scored: Estimate) -> float:
    """Return what sorts estimates best first, blind to rounding."""
    return -round(scored.mean, 9) + 0.0
