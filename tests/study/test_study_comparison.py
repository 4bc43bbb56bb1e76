"""The tests of the study on numbers worked by hand."""

import numpy as np
import pytest

from stages.study.comparison import Effect, association, over_seeds, paired, sign_flip, verdict


def test_sign_flips_by_hand() -> None:
    # 1, 2, 3: of the eight sign patterns only +++ and --- reach a total of 6
    assert sign_flip([1.0, 2.0, 3.0]) == 2 / 8
    # 3, 3, -1: total 5; at least 5 away from 0: ++- 5, +++ 7, and their mirrors
    assert sign_flip([3.0, 3.0, -1.0]) == 4 / 8
    assert sign_flip([1.0, -1.0]) == 1.0


def test_students_interval_by_hand() -> None:
    # 2, 4, 6: mean 4, standard deviation 2, error 2 / sqrt(3) = 1.1547, t of 2 degrees 4.3027: half width 4.9683
    found = over_seeds([2.0, 4.0, 6.0])
    assert (found.mean, found.low, found.high) == pytest.approx((4.0, -0.9683, 8.9683), abs=1e-3)
    assert found.by_seed == (2.0, 4.0, 6.0)
    assert found.p == 0.25
    with pytest.raises(ValueError, match="1 seeds"):
        over_seeds([1.0])


def test_the_bootstrap_of_seeds_without_spread_within() -> None:
    """Two seeds whose problems all differ by 0 and by 1: the drawn mean is 0 (a quarter), 1/2, or 1 (a quarter)."""
    found = paired([np.zeros(10), np.ones(20)])
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0), "seeds weigh the same, whatever their number of problems"
    alike = paired([np.full(5, 0.25), np.full(5, 0.25)])
    assert (alike.mean, alike.low, alike.high) == (0.25, 0.25, 0.25)


def test_the_bootstrap_of_problems() -> None:
    """Seeds alike, 200 problems of each gained or lost: the standard error over three seeds is sqrt(0.96 / 600) = 0.04."""
    values = np.array([1.0] * 120 + [-1.0] * 80)
    found = paired([values, values, values])
    assert found.mean == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.2 - 1.96 * 0.04, 0.2 + 1.96 * 0.04), abs=0.006)
    assert paired([values, values, values]) == found, "the same numbers give the same interval"


def test_a_comparison_needs_two_seeds_with_problems() -> None:
    for values in ([np.ones(3)], [np.ones(3), np.ones(0)]):
        with pytest.raises(ValueError, match="a comparison needs two"):
            paired(values)


@pytest.mark.parametrize(
    "low, high, by_seed, margin, decided",
    [
        (0.5, 3.0, (1.0, 2.0, 0.1), 0.0, "held"),
        (0.5, 3.0, (2.0, 4.0, -0.1), 0.0, "undecided"),  # one seed says otherwise
        (-0.5, 3.0, (1.0, 2.0, 0.1), 0.0, "undecided"),  # the interval reaches beyond zero
        (-3.0, -0.5, (-1.0, -2.0, -0.1), 0.0, "not held"),
        (-3.0, -0.5, (-1.0, -2.0, 0.1), 0.0, "undecided"),
        (-1.5, 1.0, (-1.0, 0.5, 0.1), 2.0, "held"),  # no more than two points worse
        (-2.5, 1.0, (-1.0, 0.5, 0.1), 2.0, "undecided"),
        (-4.0, -2.5, (-3.0, -2.6, -3.5), 2.0, "not held"),
        (0.0, 0.0, (0.0, 0.0, 0.0), 0.0, "undecided"),  # nothing differs
    ],
)
def test_verdicts(low: float, high: float, by_seed: tuple[float, ...], margin: float, decided: str) -> None:
    assert verdict(Effect(sum(by_seed) / 3, low, high, by_seed, 0.25), margin) == decided


def test_exact_permutations_by_hand() -> None:
    # four in perfect order: one of 24 orders; five: one of 120
    four, five = association([1, 2, 3, 4], [10, 20, 30, 40]), association([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert four is not None
    assert five is not None
    assert (four.rho, four.p_above, four.p_below) == (1.0, pytest.approx(1 / 24), 1.0)
    assert (four.verdict, five.verdict) == ("held", "held"), "1 / 24 = 0.042"
    down = association([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
    assert down is not None
    assert down.verdict == "not held"
    # 1, 2, 3 against 1, 3, 2: rho 0.5; of six orders three reach it
    three = association([1, 2, 3], [1, 3, 2])
    assert three is not None
    assert (three.rho, three.p_above, three.verdict) == (0.5, 0.5, "undecided")
    assert association([1, 2], [1, 2]) is None
    assert association([1, 2, 3], [1, 1, 1]) is None
