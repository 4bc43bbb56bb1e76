"""How sure a score is: means of k responses, errors clustered by problem, intervals, pass@k, paired comparison.

The problem is the unit of sampling: its k responses are averaged first. Source of pass@k: Chen et al. 2021
(arXiv 2107.03374, eq. 1); of the interval for few problems: Wilson 1927; of the paired one: Agresti and Min 2005."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
FEW = 40
"""Below this many problems, or when successes or failures are fewer than MANY, the bootstrap is not trusted."""
MANY = 5
RESAMPLES = 2000
_BOOTSTRAP_SEED = 20250122


@dataclass(frozen=True)
class Estimate:
    """A mean over problems."""

    mean: float
    stderr: float | None
    """Standard error clustered by problem; None for a single problem."""
    low: float
    """Lower bound of the 95% interval."""
    high: float


def accuracy(rights: Sequence[Sequence[bool]]) -> Estimate:
    """Accuracy over problems, each with its k verdicts. Raises ValueError without problems or responses.

    The 95% interval is a bootstrap over problems; for few problems, or nearly all right or wrong, it is Wilson's with
    `effective_trials`, so that 0 of 30 does not give [0, 0] and k responses count for what they tell."""
    mean_N = problem_means(rights)
    count, mean = len(mean_N), float(mean_N.mean())
    if count < FEW or min(mean, 1 - mean) * count < MANY:
        trials = effective_trials(mean, standard_error(mean_N), count, sum(map(len, rights)))
        low, high = wilson(mean * trials, trials)
    else:
        low, high = bootstrap(mean_N)
    return Estimate(mean, standard_error(mean_N), low, high)


def grouped_accuracy(groups: Sequence[Sequence[Sequence[bool]]]) -> Estimate:
    """The unweighted mean of the groups' accuracies (a macro average), each group with its problems' k verdicts.

    The error is that of a stratified sample: problems vary within their group, the groups are fixed. The 95% interval is a
    bootstrap within groups, or for few problems, or nearly all right or wrong, Wilson's over all problems around the mean, one
    trial a problem.
    Raises ValueError without groups or problems."""
    if not groups:
        raise ValueError("a mean over groups needs at least one group")
    means_G = [problem_means(group) for group in groups]
    count, mean = sum(map(len, means_G)), float(np.mean([mean_N.mean() for mean_N in means_G]))
    if count < FEW or min(mean, 1 - mean) * count < MANY:
        low, high = wilson(mean * count, count)
    else:
        low, high = stratified_bootstrap(means_G)
    errors = [standard_error(mean_N) for mean_N in means_G]
    known = [error for error in errors if error is not None]
    stderr = math.sqrt(sum(error**2 for error in known)) / len(means_G) if len(known) == len(errors) else None
    return Estimate(mean, stderr, low, high)


def effective_trials(mean: float, stderr: float | None, problems: int, responses: int) -> float:
    """Independent trials that would leave as large an error as k responses to each of a few problems do.

    The errors of a problem's responses hang together, so `stderr` is clustered by problem; Student's t on problems - 1 degrees of
    freedom makes up for its own error (Korn and Graubard 1998). At least one trial a problem, at most one a response; one a
    problem where the error is not known or 0."""
    if not stderr or problems == responses:
        return problems
    from scipy import stats

    inflated = stderr * float(stats.t.ppf(0.975, problems - 1)) / Z95
    return min(max(mean * (1 - mean) / inflated**2, problems), responses)


def problem_means(rights: Sequence[Sequence[bool]]) -> NDArray[np.float64]:
    """Mean of the k verdicts of each problem; shape (N,)."""
    if not rights or not all(rights):
        raise ValueError("every suite needs at least one problem, every problem at least one response")
    return np.array([sum(verdicts) / len(verdicts) for verdicts in rights])


def standard_error(mean_N: NDArray[np.float64]) -> float | None:
    """Standard error of the mean over problems (N - 1 in the variance); None for one problem."""
    return float(mean_N.std(ddof=1) / math.sqrt(len(mean_N))) if len(mean_N) > 1 else None


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """Wilson's 95% score interval of a proportion; `successes` may be fractional."""
    share, z2 = successes / trials, Z95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == trials else min(1.0, centre + half)


def bootstrap(value_N: NDArray[np.float64], resamples: int = RESAMPLES) -> tuple[float, float]:
    """95% percentile interval of the mean by drawing problems with replacement, from a fixed seed."""
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    means = [value_N[generator.integers(0, len(value_N), len(value_N))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def stratified_bootstrap(values_G: Sequence[NDArray[np.float64]], resamples: int = RESAMPLES) -> tuple[float, float]:
    """95% percentile interval of the mean of the groups' means by drawing within each group, from a fixed seed."""
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    drawn_GR = [value_N[generator.integers(0, len(value_N), (resamples, len(value_N)))].mean(axis=1) for value_N in values_G]
    low, high = np.quantile(np.mean(drawn_GR, axis=0), [0.025, 0.975])
    return float(low), float(high)


def pass_at(rights: Sequence[Sequence[bool]], k: int) -> float:
    """Unbiased pass@k: mean over problems of 1 - C(n - c, k) / C(n, k). Raises ValueError when a problem has n < k."""
    if any(len(verdicts) < k for verdicts in rights):
        raise ValueError(f"pass@{k} needs {k} responses to every problem")
    shares = [1 - math.comb(len(v) - sum(v), k) / math.comb(len(v), k) for v in rights]
    return sum(shares) / len(shares)


def pass_at_powers(rights: Sequence[Sequence[bool]]) -> dict[str, float]:
    """Unbiased pass@k for k = 1, 2, 4 ... and for the least number of responses that every problem has."""
    least = min(map(len, rights))
    powers = sorted({least} | {2**power for power in range(least.bit_length()) if 2**power < least})
    return {str(k): pass_at(rights, k) for k in powers}


def paired_difference(first: Sequence[Sequence[bool]], second: Sequence[Sequence[bool]]) -> Estimate:
    """Accuracy of `second` minus that of `first` on the same problems in the same order.

    Bootstrap over problems; for few problems or few that differ, the adjusted Wald interval of Agresti and Min, in
    which half a problem is added to each of the four cells. Raises ValueError when the problems differ in number."""
    if len(first) != len(second):
        raise ValueError(f"paired comparison of {len(first)} with {len(second)} problems")
    difference_N = problem_means(second) - problem_means(first)
    count, mean = len(difference_N), float(difference_N.mean())
    gained, lost = float(difference_N.clip(min=0).sum()), float(-difference_N.clip(max=0).sum())
    if count < FEW or gained + lost < 2 * MANY:
        low, high = _adjusted_wald(gained, lost, count)
    else:
        low, high = bootstrap(difference_N)
    return Estimate(mean, standard_error(difference_N), low, high)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation; None for fewer than three pairs or a constant series."""
    if len(first) != len(second):
        raise ValueError(f"rank correlation of {len(first)} with {len(second)} values")
    if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    from scipy import stats

    return float(stats.spearmanr(first, second).statistic)


def _adjusted_wald(gained: float, lost: float, count: int) -> tuple[float, float]:
    trials, up, down = count + 2, gained + 0.5, lost + 0.5
    centre = (up - down) / trials
    half = Z95 * math.sqrt((up + down) - (up - down) ** 2 / trials) / trials
    return max(-1.0, centre - half), min(1.0, centre + half)
