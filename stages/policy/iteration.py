"""One iteration's experience: groups of finished responses with rewards and advantages, and the figures that describe them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stages.data.records import CuratedProblem, Rollout
from stages.policy.domains import Outcome, by_domain
from stages.policy.length_penalty import length_rewards
from stages.policy.mirror_descent import advantages
from stages.rollout.partial import OpenGroup, length
from stages.verifiers.verdict import Verdict


@dataclass(frozen=True)
class Group:
    """The K responses of one problem with their rewards. Nothing in it is a picture: every rank knows all groups."""

    problem: CuratedProblem
    members: Sequence[Rollout]
    verdicts: Sequence[Verdict]
    reward_K: torch.Tensor
    length_reward_K: torch.Tensor
    advantage_K: torch.Tensor

    @property
    def right_K(self) -> list[bool]:
        return [verdict.outcome == "right" for verdict in self.verdicts]

    @property
    def success(self) -> float:
        return sum(self.right_K) / len(self.verdicts)


def without_end(rollout: Rollout) -> Verdict | None:
    """The verdict on a response that did not end by itself: wrong, whatever its text says. None for one that did."""
    if rollout.finish == "length":
        return Verdict("wrong", None, f"no end within {length(rollout)} tokens")
    if rollout.finish == "repeat":
        return Verdict("wrong", None, f"stopped after {length(rollout)} tokens because it repeats itself")
    return None


def score(
    problem: CuratedProblem,
    members: Sequence[Rollout],
    verdicts: Sequence[Verdict],
    length_weight: float,
    repeat_penalty: float = 0.0,
    baseline: Callable[[torch.Tensor], torch.Tensor] = advantages,
) -> Group:
    """Rewards r in {0, 1} plus `length_weight` times the length reward, less `repeat_penalty` for a response that repeats itself
    (§2.6), and their advantages by `baseline`. A verdict of `error` counts as not right and is reported."""
    right = [verdict.outcome == "right" for verdict in verdicts]
    lengths = length_rewards([length(member) for member in members], right)
    repeats = torch.tensor([member.finish == "repeat" for member in members], dtype=torch.float32)
    reward = torch.tensor(right, dtype=torch.float32) + length_weight * lengths - repeat_penalty * repeats
    return Group(problem, members, verdicts, reward, lengths, baseline(reward))


def describe(groups: Sequence[Group], unfinished: Sequence[OpenGroup] = ()) -> dict[str, float]:
    """Accuracy, reward, lengths and shares over all responses that an iteration hands over, and the same by domain and modality;
    those share out also what was cut in the groups that are still `unfinished`. Without groups only their number."""
    if not groups:
        return {"groups": 0.0}
    lengths = np.array([length(member) for group in groups for member in group.members])
    finishes = [member.finish for group in groups for member in group.members]
    return {
        "groups": float(len(groups)),
        "reward": float(np.mean([float(group.reward_K.mean()) for group in groups])),
        "accuracy": float(np.mean([hit for group in groups for hit in group.right_K])),
        "mean_tokens": float(lengths.mean()),
        "p95_tokens": float(np.percentile(lengths, 95)),
        "length_reward": float(np.mean([float(group.length_reward_K.mean()) for group in groups])),
        "zero_signal": float(np.mean([bool((group.advantage_K == 0).all()) for group in groups])),
        "truncated": finishes.count("length") / len(finishes),
        "repeat": finishes.count("repeat") / len(finishes),
        "reward_errors": sum(v.outcome == "error" for group in groups for v in group.verdicts) / len(finishes),
    } | by_domain([*_ended(groups), *_cut(unfinished)])


def _ended(groups: Sequence[Group]) -> list[Outcome]:
    return [
        Outcome(group.problem.domain, group.problem.modality, right, length(member), member.finish or "cut", reward)
        for group in groups
        for member, right, reward in zip(group.members, group.right_K, group.reward_K.tolist(), strict=True)
    ]


def _cut(groups: Sequence[OpenGroup]) -> list[Outcome]:
    return [
        Outcome(group.problem.domain, group.problem.modality, False, length(member), "cut", 0.0)
        for group in groups
        for member in group.unfinished
    ]


def mean_success(groups: Sequence[Group]) -> dict[str, float]:
    """Success rate of each problem, the mean over its groups: one drawn twice may be handed over twice at once."""
    rates: dict[str, list[float]] = {}
    for group in groups:
        rates.setdefault(group.problem.id, []).append(group.success)
    return {problem: sum(found) / len(found) for problem, found in rates.items()}
