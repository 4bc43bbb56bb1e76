"""Lines and rank correlations against numbers worked by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.reporting.fits import fit_line, rank_correlation


def test_slope_and_interval_worked_by_hand() -> None:
    # slope 4/5; residuals -.3 .9 -.9 .3 -> 1.8; se = sqrt(1.8 / 2 / 5) = sqrt(.18); t(2) = 4.302653
    line = fit_line([1, 2, 3, 4], [1, 3, 2, 4])
    assert line is not None
    assert line.slope == pytest.approx(0.8)
    assert line.intercept == pytest.approx(0.5)
    assert line.ci95 == pytest.approx((0.8 - 4.3026527 * 0.18**0.5, 0.8 + 4.3026527 * 0.18**0.5))


def test_a_perfect_line_has_an_interval_of_no_width() -> None:
    line = fit_line([10, 20, 30], [0.1, 0.2, 0.3])
    assert line is not None
    assert line.ci95 == pytest.approx((0.01, 0.01))


def test_too_little_for_a_line_or_an_interval() -> None:
    assert fit_line([5], [1]) is None
    assert fit_line([5, 5, 5], [1, 2, 3]) is None
    line = fit_line([0, 2], [0, 1])
    assert line is not None
    assert (line.slope, line.ci95) == (0.5, None)


@pytest.mark.parametrize(
    ("x", "y", "rho"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4], [1, 3, 2, 4], 0.8),  # 1 - 6 * 2 / (4 * 15)
        ([1, 1, 2], [1, 2, 3], 0.8660254),  # ranks 1.5 1.5 3 and 1 2 3: 1.5 / sqrt(1.5 * 2)
    ],
)
def test_rank_correlation_worked_by_hand(x: list[float], y: list[float], rho: float) -> None:
    assert rank_correlation(x, y) == pytest.approx(rho)


def test_rank_correlation_of_nothing_or_of_a_constant_is_none() -> None:
    assert rank_correlation([], []) is None
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([1, 2, 3], [7, 7, 7]) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=20))
def test_rank_correlation_knows_ranks_only(pairs: list[tuple[int, int]]) -> None:
    x, y = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    rho = rank_correlation(x, y)
    if rho is not None:
        assert -1 - 1e-9 <= rho <= 1 + 1e-9
        assert rank_correlation(y, x) == pytest.approx(rho)
        assert rank_correlation([a**3 for a in x], y) == pytest.approx(rho)
        assert rank_correlation([-a for a in x], y) == pytest.approx(-rho)
