"""Mismatch of rollout engine and trainer: by hand, and over several ranks."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.policy.mismatch import measure, mismatch


def test_figures_by_hand() -> None:
    # gaps 0, 0, 0.5, -1: mean -0.125; absolute sorted 0 0 0.5 1: median 0.25, maximum 1, 99th percentile 0.5 + 0.97 * 0.5
    found = mismatch([measure(torch.tensor([0.0, 0.5, 0.0, -1.0]))])
    assert found == pytest.approx(
        {
            "kl_rollout_trainer": -0.125,
            "ratio_p50": math.exp(0.25),
            "ratio_p99": math.exp(0.985),
            "ratio_max": math.e,
        }
    )


def test_equal_probabilities_and_none() -> None:
    assert mismatch([measure(torch.zeros(7))]) == {"kl_rollout_trainer": 0.0, "ratio_p50": 1.0, "ratio_p99": 1.0, "ratio_max": 1.0}
    nothing = measure(torch.zeros(0))
    assert mismatch([nothing]) == mismatch([]) == {}
    assert mismatch([nothing, measure(torch.ones(3))])["kl_rollout_trainer"] == 1.0
    assert mismatch([measure(torch.tensor([-2000.0]))])["ratio_max"] == math.inf


gaps = st.lists(st.floats(-3, 3), min_size=1, max_size=400)


@settings(deadline=None)
@given(gaps, st.integers(1, 4))
def test_ranks_together_say_what_one_would(found: list[float], ranks: int) -> None:
    whole = mismatch([measure(torch.tensor(found, dtype=torch.float64))])
    parts = mismatch([measure(torch.tensor(found[rank::ranks], dtype=torch.float64)) for rank in range(ranks)])
    assert parts["kl_rollout_trainer"] == pytest.approx(whole["kl_rollout_trainer"], abs=1e-9)
    assert parts["ratio_max"] == pytest.approx(whole["ratio_max"])
    assert 1.0 <= parts["ratio_p50"] <= parts["ratio_p99"] <= parts["ratio_max"]


def test_tails_over_many_tokens_of_several_ranks() -> None:
    gap = torch.randn(40_000, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    whole, parts = mismatch([measure(gap)]), mismatch([measure(gap[:1000]), measure(gap[1000:])])
    for name in ("ratio_p50", "ratio_p99"):
        assert parts[name] == pytest.approx(whole[name], rel=0.01)
