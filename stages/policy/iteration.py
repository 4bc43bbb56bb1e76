"""One iteration's experience: groups of responses with rewards and advantages, and the figures that describe them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stages.data.records import CuratedProblem
from stages.policy.length_penalty import length_rewards
from stages.policy.mirror_descent import advantages
from stages.prompts.render import Rendered
from stages.rollout.engine import Completion
from stages.verifiers.verdict import Verdict


@dataclass(frozen=True)
class Group:
    """The K responses of one problem with their rewards."""

    problem: CuratedProblem
    prompt: Rendered
    completions: Sequence[Completion]
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


def score(
    problem: CuratedProblem,
    prompt: Rendered,
    completions: Sequence[Completion],
    verdicts: Sequence[Verdict],
    length_weight: float,
) -> Group:
    """Rewards r in {0, 1} plus `length_weight` times the length reward, and their advantages. A verdict of `error` counts as
    not right and is reported."""
    right = [verdict.outcome == "right" for verdict in verdicts]
    lengths = length_rewards([len(completion.token_ids) for completion in completions], right)
    reward = torch.tensor(right, dtype=torch.float32) + length_weight * lengths
    return Group(problem, prompt, completions, verdicts, reward, lengths, advantages(reward))


def describe(groups: Sequence[Group]) -> dict[str, float]:
    """Accuracy, reward, lengths and shares over all responses of an iteration; per modality accuracy and length."""
    lengths = np.array([len(completion.token_ids) for group in groups for completion in group.completions])
    right = np.array([hit for group in groups for hit in group.right_K], dtype=float)
    image = np.array([group.problem.modality == "image" for group in groups for _ in group.completions])
    finishes = [completion.finish for group in groups for completion in group.completions]
    figures = {
        "reward": float(np.mean([float(group.reward_K.mean()) for group in groups])),
        "accuracy": float(right.mean()),
        "mean_tokens": float(lengths.mean()),
        "p95_tokens": float(np.percentile(lengths, 95)),
        "length_reward": float(np.mean([float(group.length_reward_K.mean()) for group in groups])),
        "zero_signal": float(np.mean([bool((group.advantage_K == 0).all()) for group in groups])),
        "truncated": finishes.count("length") / len(finishes),
        "reward_errors": sum(v.outcome == "error" for group in groups for v in group.verdicts) / len(finishes),
    }
    for name, chosen in (("text", ~image), ("image", image)):
        if chosen.any():
            figures[f"{name}/accuracy"] = float(right[chosen].mean())
            figures[f"{name}/mean_tokens"] = float(lengths[chosen].mean())
    return figures
