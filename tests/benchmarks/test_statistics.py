"""The statistics of a score, on numbers worked out by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stages.benchmarks.statistics import (
    accuracy,
    bootstrap,
    grouped_accuracy,
    paired_difference,
    pass_at,
    pass_at_powers,
    problem_means,
    rank_correlation,
    standard_error,
    wilson,
)

RIGHTS = st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=60)


def test_the_problem_is_the_unit_not_the_response() -> None:
    """Means 1, 1/2, 0: mean 1/2; variance (1/4 + 0 + 1/4) / 2 = 1/4; standard error sqrt(1/4 / 3) = 0.288675."""
    estimate = accuracy([[True, True], [True, False], [False, False]])
    assert estimate.mean == 0.5
    assert estimate.stderr == pytest.approx(0.5 / math.sqrt(3))


def test_correlated_samples_do_not_narrow_the_error() -> None:
    once = accuracy([[n % 3 == 0] for n in range(90)])
    often = accuracy([[n % 3 == 0] * 8 for n in range(90)])
    assert often == once


def test_none_of_thirty_is_not_certain() -> None:
    """Wilson for 0 of 30: upper bound z^2 / (30 + z^2) = 3.8415 / 33.8415 = 0.11351."""
    estimate = accuracy([[False]] * 30)
    assert (estimate.mean, estimate.low) == (0, 0)
    assert estimate.high == pytest.approx(0.11351, abs=1e-5)
    assert accuracy([[False]] * 12).low == 0, "exactly, though 12 divides less kindly"
    assert accuracy([[True]] * 12).high == 1
    assert accuracy([[True]] * 500).low == pytest.approx(500 / 503.8415, abs=1e-6)


def test_the_interval_of_few_problems_uses_their_many_samples() -> None:
    """Half of 30 problems at 48 of 64, half at 16: clustered error 0.046424, with t(29) 0.048443, so 106.53 trials and a width of
    0.18656; one trial a problem would give 0.338."""
    estimate = accuracy([[True] * 48 + [False] * 16] * 15 + [[True] * 16 + [False] * 48] * 15)
    assert estimate.high - estimate.low == pytest.approx(0.18656, abs=2e-5)
    assert accuracy([[n % 2 == 0] * 64 for n in range(30)]) == accuracy([[n % 2 == 0] for n in range(30)])


def test_wilson_by_hand() -> None:
    """5 of 10: centre 1/2, half width 1.96 / 1.38415 * sqrt(0.025 + 0.0096036) = 0.26340."""
    assert wilson(5, 10) == pytest.approx((0.5 - 0.26340, 0.5 + 0.26340), abs=1e-5)


def test_bootstrap_agrees_with_the_normal_interval_and_repeats_itself() -> None:
    """300 right of 600: half width 1.96 * sqrt(0.25 / 600) = 0.0400."""
    rights = [[n % 2 == 0] for n in range(600)]
    estimate = accuracy(rights)
    assert estimate.high - estimate.low == pytest.approx(0.0800, rel=0.06)
    assert accuracy(rights) == estimate
    assert bootstrap(problem_means(rights)) == (estimate.low, estimate.high)


def test_one_problem_has_no_standard_error() -> None:
    assert accuracy([[True]]).stderr is None


@settings(deadline=None)
@given(RIGHTS)
def test_the_interval_holds_the_mean_and_stays_in_bounds(rights: list[list[bool]]) -> None:
    estimate = accuracy(rights)
    assert 0 <= estimate.low <= estimate.mean + 1e-12
    assert estimate.mean - 1e-12 <= estimate.high <= 1
    assert estimate.low < estimate.high


@pytest.mark.parametrize("rights", [[], [[True], []]])
def test_nothing_to_average_is_an_error(rights: list[list[bool]]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        accuracy(rights)


def test_pass_at_k_is_unbiased() -> None:
    """n = 4, c = 1: pass@1 = 1/4; pass@2 = 1 - C(3,2)/C(4,2) = 1 - 3/6 = 1/2; pass@4 = 1. With c = 0 all are 0."""
    one, none = [True, False, False, False], [False] * 4
    assert [pass_at([one], k) for k in (1, 2, 4)] == [0.25, 0.5, 1.0]
    assert pass_at([one, none], 2) == 0.25
    with pytest.raises(ValueError, match="pass@5"):
        pass_at([one], 5)


def test_paired_difference_by_hand() -> None:
    """10 problems, 3 gained, 1 lost: 0.2. Adjusted: (3.5 - 1.5) / 12 = 1/6, half 1.96 * sqrt(5 - 4/12) / 12 = 0.35283."""
    first = [[False]] * 3 + [[True]] * 7
    second = [[True]] * 3 + [[False]] + [[True]] * 6
    estimate = paired_difference(first, second)
    assert estimate.mean == pytest.approx(0.2)
    assert (estimate.low, estimate.high) == pytest.approx((1 / 6 - 0.35283, 1 / 6 + 0.35283), abs=1e-4)


def test_equal_models_differ_by_nothing_but_not_certainly() -> None:
    estimate = paired_difference([[True]] * 30, [[True]] * 30)
    assert estimate.mean == 0
    assert estimate.low < 0 < estimate.high


def test_pairing_is_sharper_than_two_intervals() -> None:
    first = [[n < 300] for n in range(600)]
    second = [[n < 340] for n in range(600)]
    estimate = paired_difference(first, second)
    assert estimate.low > 0, "40 gained, none lost"
    assert accuracy(first).high > accuracy(second).low, "though the intervals overlap"


def test_pairs_must_match() -> None:
    with pytest.raises(ValueError, match="1 with 2 problems"):
        paired_difference([[True]], [[True], [True]])


def test_rank_correlation() -> None:
    """Ranks 1 2 3 4 and 1 3 2 4: 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15) = 0.8."""
    assert rank_correlation([10, 20, 30, 40], [1, 5, 2, 9]) == pytest.approx(0.8)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2], [1, 2]) is None


def test_the_macro_average_by_hand() -> None:
    """Groups 1 of 1 and 1 of 3: (1 + 1/3) / 2 = 2/3, whatever their sizes; a single problem has no error."""
    estimate = grouped_accuracy([[[True]], [[True], [False], [False]]])
    assert estimate.mean == pytest.approx(2 / 3)
    assert estimate.stderr is None


def test_the_error_of_the_macro_average_is_that_of_a_stratified_sample() -> None:
    """Two groups of 100, halves right and all right: errors sqrt(0.25 / 99) and 0, so 0.050252 / 2; the spread between the
    groups is no error, so that the interval is far narrower than that of the pooled problems (0.0307)."""
    groups = [[[n % 2 == 0] for n in range(100)], [[True]] * 100]
    estimate = grouped_accuracy(groups)
    assert estimate.mean == 0.75
    assert estimate.stderr == pytest.approx(math.sqrt(0.25 / 99) / 2)
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * 0.025, rel=0.08)
    assert grouped_accuracy(groups) == estimate


def test_wilson_standard_error_and_bootstrap_agree_with_scipy() -> None:
    for successes, trials in ((0, 30), (1, 30), (17, 30), (30, 30), (3, 500)):
        theirs = stats.binomtest(successes, trials).proportion_ci(method="wilson")
        assert wilson(successes, trials) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    mean_N = problem_means([[n % 3 == 0, n % 5 == 0, n % 7 < 3] for n in range(400)])
    assert standard_error(mean_N) == pytest.approx(stats.sem(mean_N))
    theirs = stats.bootstrap((mean_N,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1))
    assert bootstrap(mean_N) == pytest.approx(tuple(theirs.confidence_interval), abs=0.004)


def test_the_paired_difference_agrees_with_scipys_paired_test() -> None:
    """By Student's t over the problems' differences; k = 2 and k = 3 of the same 300 problems."""
    first = [[n % 2 == 0, n % 3 == 0] for n in range(300)]
    second = [[n % 2 == 0, n % 5 != 0, n % 7 != 0] for n in range(300)]
    estimate = paired_difference(first, second)
    theirs = stats.ttest_rel(problem_means(second), problem_means(first))
    interval = theirs.confidence_interval()
    assert estimate.mean / (estimate.stderr or 0) == pytest.approx(theirs.statistic)
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high), abs=0.006)


@pytest.mark.parametrize("verdicts", [[True, False, False], [True, True, False, False, False], [False] * 4, [True] * 3])
def test_pass_at_k_is_the_share_of_the_subsets_with_a_right_one(verdicts: list[bool]) -> None:
    for k in range(1, len(verdicts) + 1):
        subsets = list(itertools.combinations(verdicts, k))
        assert pass_at([verdicts], k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_powers_of_two_and_all_that_every_problem_has() -> None:
    """Six responses, one right: pass@k = k / 6. Of two problems the one with fewer responses decides."""
    six = [True, *[False] * 5]
    assert pass_at_powers([six]) == pytest.approx({"1": 1 / 6, "2": 2 / 6, "4": 4 / 6, "6": 1.0})
    assert list(pass_at_powers([six, [True, False]])) == ["1", "2"]
    assert pass_at_powers([[True], [False]]) == {"1": 0.5}


def test_no_group_has_no_average() -> None:
    with pytest.raises(ValueError, match="at least one group"):
        grouped_accuracy([])
