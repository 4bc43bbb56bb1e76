"""The statistics of figure 6 and the headline checks: a line with the interval of its slope, rank correlation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """y = intercept + slope * x by least squares."""

    slope: float
    intercept: float
    ci95: tuple[float, float] | None
    """95% interval of the slope by Student's t with n - 2 degrees of freedom; None for two points."""
    n: int


def fit_line(x_n: Sequence[float], y_n: Sequence[float]) -> Line | None:
    """The least-squares line through (x, y); None with fewer than two points or when all x are equal."""
    n = len(x_n)
    if n < 2 or len(set(x_n)) == 1:
        return None
    x_mean, y_mean = math.fsum(x_n) / n, math.fsum(y_n) / n
    spread = math.fsum((x - x_mean) ** 2 for x in x_n)
    slope = math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(x_n, y_n, strict=True)) / spread
    intercept = y_mean - slope * x_mean
    if n == 2:
        return Line(slope, intercept, None, n)
    residual = math.fsum((y - intercept - slope * x) ** 2 for x, y in zip(x_n, y_n, strict=True))
    half = _t_quantile(n - 2) * math.sqrt(residual / (n - 2) / spread)
    return Line(slope, intercept, (slope - half, slope + half), n)


def rank_correlation(x_n: Sequence[float], y_n: Sequence[float]) -> float | None:
    """Spearman's rho in -1..1, ties by mean rank; None with fewer than three points or when either side is constant."""
    if len(x_n) < 3 or len(set(x_n)) == 1 or len(set(y_n)) == 1:
        return None
    x_ranks, y_ranks = _ranks(x_n), _ranks(y_n)
    middle = (len(x_n) + 1) / 2
    shared = math.fsum((x - middle) * (y - middle) for x, y in zip(x_ranks, y_ranks, strict=True))
    spread_x = math.fsum((x - middle) ** 2 for x in x_ranks)
    spread_y = math.fsum((y - middle) ** 2 for y in y_ranks)
    return shared / math.sqrt(spread_x * spread_y)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    below = {value: sum(other < value for other in values) for value in set(values)}
    equal = {value: sum(other == value for other in values) for value in set(values)}
    return [below[value] + (equal[value] + 1) / 2 for value in values]


def _t_quantile(degrees: int) -> float:
    """97.5% quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))
