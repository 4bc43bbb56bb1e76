"""How far the engine that samples is from the trainer on the same weights (§2.6): per-token log-probabilities of both compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

TAILS = {"ratio_p50": 0.5, "ratio_p99": 0.99, "ratio_max": 1.0}
_GRID = np.linspace(0.0, 1.0, 1001)


@dataclass(frozen=True)
class Gaps:
    """One rank's gaps log mu - log pi of each token, small enough to be sent to every rank."""

    tokens: int
    total: float
    quantiles: tuple[float, ...]
    """Of the absolute gaps at 0, 0.001 ... 1; () without tokens."""


def measure(gap_T: torch.Tensor) -> Gaps:
    """Sum up this rank's gaps: the engine's log-probability less the trainer's, of each response token."""
    if not len(gap_T):
        return Gaps(0, 0.0, ())
    gaps = gap_T.detach().cpu().double()
    return Gaps(len(gaps), float(gaps.sum()), tuple(np.quantile(gaps.abs().numpy(), _GRID).tolist()))


def mismatch(parts: Sequence[Gaps]) -> dict[str, float]:
    """`kl_rollout_trainer`, the mean gap (an estimate of KL(mu || pi) in nats a token), and `ratio_p50`, `ratio_p99`, `ratio_max`
    of a token's two probabilities, the larger over the smaller: 1 where both agree. {} without tokens.

    Quantiles over several ranks are those of the ranks' grids, weighted by tokens; for one rank, and the maximum, exact."""
    parts = [part for part in parts if part.tokens]
    if not parts:
        return {}
    tokens = sum(part.tokens for part in parts)
    values = np.unique(np.concatenate([part.quantiles for part in parts]))
    reached = sum(part.tokens * np.interp(values, part.quantiles, _GRID) for part in parts) / tokens
    tails = {name: _exp(float(np.interp(share, reached, values))) for name, share in TAILS.items()}
    return {"kl_rollout_trainer": sum(part.total for part in parts) / tokens, **tails}


def _exp(gap: float) -> float:
    return math.exp(gap) if gap < 700 else math.inf
