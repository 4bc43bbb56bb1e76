"""Rewards, advantages and the figures of an iteration, by hand."""

import pytest
from tiny import problem

from stages.policy.iteration import Group, describe, score
from stages.prompts.render import Rendered
from stages.rollout.engine import Completion
from stages.verifiers.verdict import Verdict

PROMPT = Rendered((1, 2), {}, {})


def group(lengths: list[int], outcomes: list[str], weight: float = 0.0, modality: str = "text", finish: str = "stop") -> Group:
    completions = [Completion("", (7,) * length, (-1.0,) * length, finish) for length in lengths]
    verdicts = [Verdict(outcome, None, "") for outcome in outcomes]
    return score(problem(0, modality=modality), PROMPT, completions, verdicts, weight)


def test_rewards_are_right_or_not_plus_the_weighted_length_reward() -> None:
    plain = group([10, 20, 30, 30], ["right", "wrong", "right", "error"])
    assert plain.reward_K.tolist() == [1, 0, 1, 0]
    assert plain.advantage_K.tolist() == [0.5, -0.5, 0.5, -0.5]
    assert plain.success == 0.5
    # length rewards 0.5, min(0, 0), -0.5, -0.5; with weight 0.2: 1.1, 0, 0.9, -0.1, mean 0.475
    short = group([10, 20, 30, 30], ["right", "wrong", "right", "error"], weight=0.2)
    assert short.length_reward_K.tolist() == [0.5, 0.0, -0.5, -0.5]
    assert short.reward_K.tolist() == pytest.approx([1.1, 0.0, 0.9, -0.1])
    assert short.advantage_K.tolist() == pytest.approx([0.625, -0.475, 0.425, -0.575])


def test_figures() -> None:
    groups = [
        group([10, 20], ["wrong", "right"]),
        group([30, 40], ["right", "right"], modality="image", finish="length"),
        group([50, 50], ["wrong", "error"]),
    ]
    found = describe(groups)
    assert found == pytest.approx(
        {
            "reward": 0.5,  # means 0.5, 1, 0
            "accuracy": 0.5,  # 3 of 6
            "mean_tokens": 200 / 6,
            "p95_tokens": 50.0,  # sorted 10 20 30 40 50 50: place 0.95 * 5 = 4.75
            "length_reward": -0.25 / 3,  # means of (0, -0.5), (0.5, -0.5), (0, 0)
            "zero_signal": 2 / 3,  # all right, and none right
            "truncated": 2 / 6,
            "reward_errors": 1 / 6,
            "text/accuracy": 0.25,
            "text/mean_tokens": 32.5,
            "image/accuracy": 1.0,
            "image/mean_tokens": 35.0,
        }
    )


def test_the_length_reward_gives_an_all_right_group_a_signal() -> None:
    assert describe([group([10, 30], ["right", "right"])])["zero_signal"] == 1.0
    assert describe([group([10, 30], ["right", "right"], weight=0.1)])["zero_signal"] == 0.0


def test_a_modality_that_is_absent_has_no_figures() -> None:
    assert "image/accuracy" not in describe([group([10], ["right"])])
