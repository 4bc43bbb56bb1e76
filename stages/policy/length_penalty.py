"""The length reward (§2.3.3): within the K responses of one problem, short is good and long is bad."""

from collections.abc import Sequence

import torch


def length_rewards(lengths_K: Sequence[int], right_K: Sequence[bool]) -> torch.Tensor:
    """lambda_i = 0.5 - (len_i - min_len) / (max_len - min_len) for right responses, min(0, lambda_i) for others; all 0 when
    the lengths are equal. Lengths are tokens; minimum and maximum are over all K, right and wrong. Shape (K,), in [-0.5, 0.5]."""
    lengths = torch.tensor(lengths_K, dtype=torch.float32)
    spread = lengths.max() - lengths.min()
    if spread == 0:
        return torch.zeros_like(lengths)
    score = 0.5 - (lengths - lengths.min()) / spread
    return torch.where(torch.tensor(right_K), score, score.clamp(max=0.0))


def weight_at(iteration: int, weight: float, switched_on_at: int) -> float:
    """The report's "warm-up": no length reward before iteration `switched_on_at`, the constant `weight` from then on."""
    return weight if iteration >= switched_on_at else 0.0
