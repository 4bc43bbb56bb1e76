"""Preference pairs for long2short DPO (§2.4), and the DPO loss (Rafailov et al. 2023, arXiv 2305.18290, eq. 7)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stages.data.records import Sample, SampleGroup
from stages.long2short.shortest import shortest_right


@dataclass(frozen=True)
class Pair:
    """Two responses to one problem, the preferred one first."""

    group: SampleGroup
    chosen: Sample
    rejected: Sample


def pairs(groups: Sequence[SampleGroup], min_length_ratio: float, per_problem: int) -> list[Pair]:
    """For each problem the shortest right sample against longer ones: every longer wrong one, and right ones of at least
    `min_length_ratio` times its length. The longest `per_problem` of them are kept, so that no problem dominates."""
    found = []
    for group in groups:
        best = shortest_right(group.samples)
        if best is None:
            continue
        length = len(best.token_ids)
        longer = [
            sample
            for sample in group.samples
            if (sample.outcome == "wrong" and len(sample.token_ids) > length)
            or (sample.outcome == "right" and len(sample.token_ids) >= min_length_ratio * length and sample is not best)
        ]
        longer.sort(key=lambda sample: -len(sample.token_ids))
        found += [Pair(group, best, sample) for sample in longer[:per_problem]]
    return found


def dpo_loss(margin_N: torch.Tensor, beta: float) -> torch.Tensor:
    """-log sigmoid(beta * margin), elementwise (N,), where margin = (log pi - log pi_ref)(chosen) - (log pi - log pi_ref)(rejected)
    on whole-response log-probabilities."""
    return -torch.nn.functional.logsigmoid(beta * margin_N)


def nll_loss(logp_N: torch.Tensor, tokens_N: torch.Tensor) -> torch.Tensor:
    """-log pi(chosen) a token, elementwise (N,), from whole-response log-probabilities and lengths: the term that keeps the
    chosen response likely while the margin grows (Pang et al. 2024, arXiv 2404.19733, eq. 1)."""
    return -logp_N / tokens_N


def dpo_weights(margin_N: torch.Tensor, beta: float) -> torch.Tensor:
    """d loss / d margin = -beta * sigmoid(-beta * margin), shape (N,).

    The gradient of the loss is this weight times that of log pi(chosen) - log pi(rejected); with the weights computed first,
    the two responses of a pair need not lie in the same micro-batch."""
    return -beta * torch.sigmoid(-beta * margin_N)
