"""The length reward of §2.3.3: golden cases, bounds, the switch."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.policy.length_penalty import length_rewards, weight_at

CASES = [json.loads(line) for line in (Path(__file__).parents[1] / "cases/length_rewards.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_golden_cases(case: dict[str, Any]) -> None:
    assert length_rewards(case["lengths"], case["right"]).tolist() == pytest.approx(case["rewards"]), case["why"]


@given(st.lists(st.tuples(st.integers(1, 10_000), st.booleans()), min_size=2, max_size=16))
def test_bounds_and_order(group: list[tuple[int, bool]]) -> None:
    lengths, right = [length for length, _ in group], [hit for _, hit in group]
    rewards = length_rewards(lengths, right).tolist()
    assert all(-0.5 <= reward <= 0.5 for reward in rewards)
    assert all(reward <= 0 for reward, hit in zip(rewards, right, strict=True) if not hit)
    solved = sorted((length, -reward) for length, reward, hit in zip(lengths, rewards, right, strict=True) if hit)
    assert [loss for _, loss in solved] == sorted(loss for _, loss in solved), "of two right responses the longer has no more"
    if max(lengths) > min(lengths):
        assert rewards[lengths.index(max(lengths))] == -0.5
        shortest = lengths.index(min(lengths))
        assert rewards[shortest] == (0.5 if right[shortest] else 0.0), "paid when right, neither paid nor punished when wrong"


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8), st.integers(0, 1000))
def test_a_prefix_common_to_all_changes_nothing(lengths: list[int], more: int) -> None:
    right = [True] * len(lengths)
    assert length_rewards(lengths, right).tolist() == pytest.approx(length_rewards([n + more for n in lengths], right).tolist())


def test_the_switch_is_a_step() -> None:
    assert [weight_at(iteration, 0.3, switched_on_at=2) for iteration in range(5)] == [0.0, 0.0, 0.3, 0.3, 0.3]
    assert weight_at(0, 0.3, switched_on_at=0) == 0.3
