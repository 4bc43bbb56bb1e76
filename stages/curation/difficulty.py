"""Difficulty (§2.1): the SFT model answers every prompt ten times at a high temperature; the pass rate is the proxy.

Trivial prompts are dropped down to a share; the pass rate travels with the others and drives the samplers of §2.3.4."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from stages.curation.measure import Measure
from stages.data.records import Problem

BINS = 10


def pass_rates(measure: Measure, problems: Sequence[Problem], samples: int, max_tokens: int | None) -> dict[str, float]:
    """id -> share of right answers among `samples` responses of at most `max_tokens` (None: what the context leaves)."""
    right = measure.count_right("answer", problems, samples, max_tokens or measure.context)
    return {identity: hits / samples for identity, hits in right.items()}


def trivial(rates: Mapping[str, float], above: float, keep: float, seed: int) -> dict[str, str]:
    """id -> reason for the trivial prompts (pass rate over `above`) that go; the share `keep` of them, by `seed`,
    stays."""
    found = sorted(identity for identity, rate in rates.items() if rate > above)
    dropped = random.Random(seed).sample(found, len(found) - round(keep * len(found)))
    return {identity: f"pass rate {rates[identity]:.2f} is over {above:g}" for identity in dropped}


def histogram(rates: Mapping[str, float]) -> dict[str, int]:
    """How many problems have a pass rate in each tenth; the last bin holds 1.0 too. Keys "0.0" to "0.9" are lower
    edges."""
    counts = {f"{place / BINS:.1f}": 0 for place in range(BINS)}
    for rate in rates.values():
        counts[f"{min(BINS - 1, int(rate * BINS + 1e-9)) / BINS:.1f}"] += 1
    return counts


def by_family(problems: Sequence[Problem], rates: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """family -> {"problems", "pass_rate"}: how many were measured, and their mean, to be held against the accuracy of the same
    model on the family's held-out problems."""
    families: dict[str, list[float]] = defaultdict(list)
    for problem in problems:
        families[problem.family].append(rates[problem.id])
    return {
        family: {"problems": len(found), "pass_rate": round(sum(found) / len(found), 4)}
        for family, found in sorted(families.items())
    }
