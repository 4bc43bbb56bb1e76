"""Learning rates by hand."""

import pytest

from stages.training.schedules import learning_rate, warmed


def rates(total: int, peak: float, final: float, warmup: float, shape: str) -> list[float]:
    return [learning_rate(step, total, peak, final, warmup, shape) for step in range(total)]


def test_linear_with_warm_up() -> None:
    # a ramp of 2 of 6 steps, then from 8 to 2 in four equal places
    assert rates(6, 8.0, 2.0, 2 / 6, "linear") == pytest.approx([4, 8, 8, 6, 4, 2])


def test_wsd_stays_at_the_peak_then_falls_in_a_line() -> None:
    # 0.6 of ten steps after the first stand at the peak; the last four fall from 10 to 2 by 2 each
    assert rates(11, 10.0, 2.0, 0.0, "wsd") == pytest.approx([10] * 7 + [8, 6, 4, 2])


def test_cosine_falls_from_the_peak_to_the_final_rate() -> None:
    # halves of a cosine at 0, 1/4, 1/2, 3/4, 1: 1, 0.853553, 0.5, 0.146447, 0
    assert rates(5, 10.0, 0.0, 0.0, "cosine") == pytest.approx([10, 8.53553, 5, 1.46447, 0], abs=1e-4)
    assert rates(5, 11.0, 1.0, 0.0, "cosine") == pytest.approx([11, 9.53553, 6, 2.46447, 1], abs=1e-4)


def test_constant_stays() -> None:
    assert rates(4, 3.0, 0.0, 0.25, "constant") == [3, 3, 3, 3]


def test_a_single_step_has_the_peak() -> None:
    assert rates(1, 5.0, 0.0, 0.1, "cosine") == [5.0]


def test_warmed_after_each_reset() -> None:
    # 4 warm-up steps: a fifth, two fifths ... of the peak, then the peak
    assert [warmed(step, 10.0, 4) for step in range(7)] == pytest.approx([2, 4, 6, 8, 10, 10, 10])
    assert warmed(0, 10.0, 0) == 10.0
