"""Curriculum and prioritised sampling (§2.3.4)."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import problem

from stages.policy.samplers import FLOOR, MEMORY, NEUTRAL, ProblemSampler


def sampler(rates: list[float], **changed: object) -> ProblemSampler:
    options = {"seed": 5, "curriculum_until": 0, "hard_pass_rate": 1.0, "prioritized": True, **changed}
    return ProblemSampler([problem(number, pass_rate=rate) for number, rate in enumerate(rates)], **options)


def test_weights_are_one_less_the_success_rate() -> None:
    drawn = sampler([0.5] * 4)
    drawn.update({"p0": 0.0, "p1": 0.75, "p2": 1.0})
    # never solved 1, three quarters solved 0.25, always solved the floor, never drawn neutral
    assert drawn.weights(0).tolist() == pytest.approx([1.0, 0.25, FLOOR, 1 - NEUTRAL])


def test_frequencies_follow_the_weights() -> None:
    """4,000 draws of one problem: shares 1 : 0.5 : 0.25 within four standard errors."""
    drawn = sampler([0.5] * 3)
    drawn.update({"p0": 0.0, "p1": 0.5, "p2": 0.75})
    counts = Counter(drawn.draw(iteration, 1)[0].id for iteration in range(4000))
    for name, share in (("p0", 4 / 7), ("p1", 2 / 7), ("p2", 1 / 7)):
        error = (share * (1 - share) / 4000) ** 0.5
        assert counts[name] / 4000 == pytest.approx(share, abs=4 * error)


def test_not_prioritised_is_uniform() -> None:
    drawn = sampler([0.5] * 3, prioritized=False)
    drawn.update({"p0": 0.0, "p1": 1.0})
    assert drawn.weights(0).tolist() == [1.0, 1.0, 1.0]


def test_the_curriculum_switches_to_hard_problems() -> None:
    drawn = sampler([0.9, 0.2, 0.5, 0.6], curriculum_until=3, hard_pass_rate=0.5, prioritized=False)
    assert drawn.weights(2).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert drawn.weights(3).tolist() == [0.0, 1.0, 1.0, 0.0], "a pass rate of exactly the limit is hard"
    assert {found.id for found in drawn.draw(3, 2)} == {"p1", "p2"}


def test_without_any_hard_problem_all_stay() -> None:
    assert sampler([0.9, 0.8], hard_pass_rate=0.1, prioritized=False).weights(0).tolist() == [1.0, 1.0]


def test_the_running_rate_forgets() -> None:
    drawn = sampler([0.5])
    drawn.update({"p0": 1.0})
    assert drawn.success == {"p0": 1.0}, "the first rate counts in full"
    drawn.update({"p0": 0.0})
    assert drawn.success == {"p0": MEMORY}
    drawn.update({"p0": 0.0})
    assert drawn.success == {"p0": MEMORY**2}


rates = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(rates, st.integers(0, 2**32), st.integers(0, 100), st.integers(1, 25), st.booleans())
def test_draws_are_distinct_and_repeatable(found: list[float], seed: int, iteration: int, count: int, prioritized: bool) -> None:
    def fresh() -> ProblemSampler:
        made = sampler([0.5] * len(found), seed=seed, prioritized=prioritized)
        made.update({f"p{number}": rate for number, rate in enumerate(found[::2])})
        return made

    drawn = [p.id for p in fresh().draw(iteration, count)]
    assert len(set(drawn)) == len(drawn) == min(count, len(found))
    torch.manual_seed(seed % 7)  # the global stream has no part in it
    assert [p.id for p in fresh().draw(iteration, count)] == drawn


@given(rates)
def test_state_round_trip(found: list[float]) -> None:
    before = sampler([0.5] * len(found))
    before.update({f"p{number}": rate for number, rate in enumerate(found)})
    saved, after = before.state(), sampler([0.5] * len(found))
    before.update({"p0": 0.25})
    after.restore(saved)
    assert after.success["p0"] == found[0], "the saved state is a copy"
    after.update({"p0": 0.25})
    assert [p.id for p in after.draw(9, 3)] == [p.id for p in before.draw(9, 3)]


def test_iterations_and_seeds_draw_differently() -> None:
    drawn = sampler([0.5] * 50)
    assert drawn.draw(0, 10) != drawn.draw(1, 10)
    assert drawn.draw(0, 10) != sampler([0.5] * 50, seed=6).draw(0, 10)
