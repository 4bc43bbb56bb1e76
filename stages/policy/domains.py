"""The figures of an iteration by domain and by modality: text and pictures are trained together (§2.3.5) and may part ways."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stages.rollout.engine import Finish


class Outcome(NamedTuple):
    """One response of an iteration. A response with finish "cut" goes on in a later iteration: it has no verdict and no reward yet,
    what stands there is not read."""

    domain: str
    modality: str
    right: bool
    tokens: int
    finish: Finish
    reward: float


def by_domain(rows: Sequence[Outcome]) -> dict[str, float]:
    """`domain/<domain>/<figure>` and `text/<figure>`, `image/<figure>`: accuracy, reward, mean_tokens, p95_tokens, and the shares
    truncated (at the limit) and repeat over the responses that ended; `cut`, the share of all that go on."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for row in rows:
        groups["domain/" + re.sub(r"[^\w.-]+", "_", row.domain)].append(row)
        groups[row.modality].append(row)
    return {f"{group}/{name}": value for group in sorted(groups) for name, value in shares(groups[group]).items()}


def shares(rows: Sequence[Outcome]) -> dict[str, float]:
    """The figures of `by_domain` over all `rows` together, of which there is at least one."""
    ended = [row for row in rows if row.finish != "cut"]
    figures = {"cut": 1 - len(ended) / len(rows)}
    if ended:
        tokens = np.array([row.tokens for row in ended])
        figures |= {
            "accuracy": float(np.mean([row.right for row in ended])),
            "reward": float(np.mean([row.reward for row in ended])),
            "mean_tokens": float(tokens.mean()),
            "p95_tokens": float(np.percentile(tokens, 95)),
            "truncated": sum(row.finish == "length" for row in ended) / len(ended),
            "repeat": sum(row.finish == "repeat" for row in ended) / len(ended),
        }
    return figures
