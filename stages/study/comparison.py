"""The tests of the study: a paired bootstrap over seeds and problems, exact permutations, Student's t over seeds.

Two runs of one seed start from the same weights and answer the same problems, so each problem is its own control. Few seeds say
little about other seeds: three of them, flipped in sign, cannot give a p below 0.25. So the interval comes from a bootstrap that
draws seeds and, within them, problems (Davison and Hinkley 1997, §3.8), and a verdict asks in addition that all seeds agree."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.reporting.fits import rank_correlation

Verdict = Literal["held", "not held", "undecided"]
RESAMPLES = 4000
LEVEL = 0.05
_SEED = 20250122


@dataclass(frozen=True)
class Effect:
    """A difference between two runs, or another quantity that is measured once a seed."""

    mean: float
    low: float
    """Lower bound of the 95% interval."""
    high: float
    by_seed: tuple[float, ...]
    p: float
    """Two-sided, exact: the share of sign patterns of the seeds' values whose mean is at least as far from 0."""


def paired(difference_SN: Sequence[NDArray[np.float64]]) -> Effect:
    """Mean over S seeds of the mean over a seed's N problems, by the bootstrap over seeds and problems. Raises ValueError for
    fewer than two seeds, or one without problems."""
    if len(difference_SN) < 2 or not all(len(values_N) for values_N in difference_SN):
        raise ValueError(f"{len(difference_SN)} seeds: a comparison needs two, each with problems")
    means = [float(values_N.mean()) for values_N in difference_SN]
    generator = np.random.default_rng(_SEED)
    count = len(difference_SN)
    seed_RS = generator.integers(0, count, (RESAMPLES, count))
    drawn_RS = np.empty(seed_RS.shape)
    for seed, values_N in enumerate(difference_SN):
        chosen = seed_RS == seed
        places = generator.integers(0, len(values_N), (int(chosen.sum()), len(values_N)))
        drawn_RS[chosen] = values_N[places].mean(axis=1)
    low, high = np.quantile(drawn_RS.mean(axis=1), [LEVEL / 2, 1 - LEVEL / 2])
    return Effect(math.fsum(means) / count, float(low), float(high), tuple(means), sign_flip(means))


def over_seeds(values: Sequence[float]) -> Effect:
    """The mean of one value a seed with its interval by Student's t (S - 1 degrees of freedom). ValueError for fewer than two."""
    from scipy.special import stdtrit

    count = len(values)
    if count < 2:
        raise ValueError(f"{count} seeds: an interval needs two")
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1) / count)
    half = float(stdtrit(count - 1, 1 - LEVEL / 2)) * spread
    return Effect(mean, mean - half, mean + half, tuple(values), sign_flip(values))


def sign_flip(values: Sequence[float]) -> float:
    """Exact two-sided p of a mean that far from 0 if each seed's sign were chance; at least 2 / 2^S."""
    observed = abs(math.fsum(values))
    flipped = [abs(math.fsum(sign * value for sign, value in zip(signs, values, strict=True))) for signs in _signs(len(values))]
    return sum(total >= observed - 1e-12 for total in flipped) / len(flipped)


def _signs(count: int) -> list[tuple[int, ...]]:
    return list(itertools.product((1, -1), repeat=count))


def verdict(effect: Effect, margin: float = 0.0) -> Verdict:
    """Whether a claim that the effect is above -`margin` (0: above zero) held: the whole interval and every seed lie above it; not
    held: both lie below it; undecided otherwise."""
    if effect.low > -margin and min(effect.by_seed) > -margin:
        return "held"
    if effect.high < -margin and max(effect.by_seed) < -margin:
        return "not held"
    return "undecided"


@dataclass(frozen=True)
class Association:
    """Spearman's rank correlation of a few items, with exact one-sided p by all permutations."""

    rho: float
    p_above: float
    """Share of the permutations that give at least this rho."""
    p_below: float
    """Share that give at most this rho."""

    @property
    def verdict(self) -> Verdict:
        """Of the claim that rho is above 0, at 5%."""
        if self.p_above <= LEVEL:
            return "held"
        return "not held" if self.p_below <= LEVEL else "undecided"


def association(first: Sequence[float], second: Sequence[float]) -> Association | None:
    """The correlation of at most eight pairs (40,320 permutations); None for fewer than three or a constant side."""
    observed = rank_correlation(first, second)
    if observed is None:
        return None
    if len(first) > 8:
        raise ValueError(f"{len(first)} items: exact permutations are for at most eight")
    found = [rank_correlation(first, order) or 0.0 for order in itertools.permutations(second)]
    above, below = sum(rho >= observed - 1e-12 for rho in found), sum(rho <= observed + 1e-12 for rho in found)
    return Association(observed, above / len(found), below / len(found))
