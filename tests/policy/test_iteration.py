"""Rewards, advantages and the figures of an iteration, by hand."""

import pytest
from tiny import problem

from stages.data.records import Rollout, Segment
from stages.policy.iteration import Group, describe, mean_success, score, without_end
from stages.verifiers.verdict import Verdict


def member(number: int, length: int, finish: str = "stop") -> Rollout:
    segment = Segment(iteration=0, token_ids=[7] * length, logprobs=[-1.0] * length)
    return Rollout(problem_id="p0", begun=0, member=number, segments=[segment], finish=finish)


def group(lengths: list[int], outcomes: list[str], weight: float = 0.0, modality: str = "text", finish: str = "stop") -> Group:
    members = [member(number, length, finish) for number, length in enumerate(lengths)]
    verdicts = [Verdict(outcome, None, "") for outcome in outcomes]
    return score(problem(0, modality=modality), members, verdicts, weight)


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
    assert all(0 <= value <= 50 for name, value in found.items() if name.startswith("domain/"))
    plain = {name: value for name, value in found.items() if "/" not in name}
    plain |= {f"{kind}/{name}": found[f"{kind}/{name}"] for kind in ("text", "image") for name in ("accuracy", "mean_tokens")}
    assert plain == pytest.approx(
        {
            "groups": 3,
            "reward": 0.5,  # means 0.5, 1, 0
            "accuracy": 0.5,  # 3 of 6
            "mean_tokens": 200 / 6,
            "p95_tokens": 50.0,  # sorted 10 20 30 40 50 50: place 0.95 * 5 = 4.75
            "length_reward": -0.25 / 3,  # means of (0, -0.5), (0.5, -0.5), (0, 0)
            "zero_signal": 2 / 3,  # all right, and none right
            "truncated": 2 / 6,
            "repeat": 0,
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


def test_an_iteration_without_a_whole_group_says_so() -> None:
    assert describe([]) == {"groups": 0}


def test_a_response_without_an_end_is_wrong_whatever_it_says() -> None:
    assert without_end(member(0, 5)) is None
    assert without_end(member(0, 5, "length")) == Verdict("wrong", None, "no end within 5 tokens")
    found = without_end(member(0, 9, "repeat"))
    assert found == Verdict("wrong", None, "stopped after 9 tokens because it repeats itself")


def test_a_repeat_may_cost_more_than_its_reward() -> None:
    members = [member(0, 10), member(1, 10, "length"), member(2, 10, "repeat"), member(3, 10)]
    verdicts = [Verdict(outcome, None, "") for outcome in ("right", "wrong", "wrong", "right")]
    plain = score(problem(0), members, verdicts, 0.0)
    assert plain.reward_K.tolist() == [1, 0, 0, 1]
    found = score(problem(0), members, verdicts, 0.0, repeat_penalty=0.4)
    assert found.reward_K.tolist() == pytest.approx([1, 0, -0.4, 1])
    assert found.advantage_K.tolist() == pytest.approx([0.6, -0.4, -0.8, 0.6])  # mean 0.4
    figures = describe([found])
    assert (figures["truncated"], figures["repeat"], figures["accuracy"]) == (0.25, 0.25, 0.5)
    assert figures["reward"] == pytest.approx(0.4)


def test_the_success_of_a_problem_that_was_handed_over_twice() -> None:
    two = [group([3, 3], ["right", "right"]), group([3, 3], ["wrong", "right"])]
    assert mean_success(two) == {"p0": 0.75}
