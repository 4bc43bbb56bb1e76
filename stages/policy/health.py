"""The health panel of RL: is this iteration's experience fit to learn from? Limits warn or stop, and say what to do."""

import math
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from stages.run.sections import Health


@dataclass(frozen=True)
class Rule:
    """Which figure a limit of params.yaml's `health` is for, what a value beyond it means, what to do."""

    limit: str
    """Name in sections.Health."""
    figure: str
    of_first: bool
    """True: below this share of the figure's first value is bad; False: above the limit is bad."""
    means: str
    do: str


RULES: tuple[Rule, ...] = (
    Rule(
        "mismatch_kl", "kl_rollout_trainer", False,
        "rollout engine and trainer disagree on the same weights",
        "check that the engine took the last weights, its precision, chat template and picture tokens",
    ),
    Rule(
        "ratio_p99", "ratio_p99", False,
        "one token in a hundred has another probability in the rollout engine than in the trainer",
        "compare both on one prompt; a few odd experts, a cache or a sampling filter are the usual causes",
    ),
    Rule(
        "entropy_share", "entropy", True,
        "the policy's entropy has collapsed, samples of a problem become alike",
        "raise the temperature or tau, lower the learning rate, or set loss.drop_negatives",
    ),
    Rule(
        "length_share", "mean_tokens", True,
        "responses have collapsed to a fraction of their length",
        "read some responses, then lower length_weight or switch it on later (length_from)",
    ),
    Rule(
        "reward_errors", "reward_errors", False,
        "verifiers could not decide, and an undecided response counts as not right",
        "read the reasons in the log; sandbox, judge or gold answers are broken",
    ),
    Rule(
        "truncated", "truncated", False,
        "responses end at the length limit, where right and wrong can no longer be told",
        "raise max_tokens and model.context, or switch the length reward on",
    ),
    Rule(
        "zero_signal", "zero_signal", False,
        "groups whose samples all get the same reward teach nothing",
        "set prioritized or hard_pass_rate, raise samples, or curate other problems",
    ),
    Rule(
        "grad_norm", "grad_norm", False,
        "gradients have exploded before clipping",
        "lower the learning rate, raise tau or mini_batch, and look for broken samples",
    ),
)  # fmt: skip

NAMES: Mapping[str, str] = {
    "reward": "reward {:.3f}",
    "accuracy": "accuracy {:.3f}",
    "mean_tokens": "tokens {:,.0f}",
    "p95_tokens": "(p95 {:,.0f})",
    "truncated": "truncated {:.0%}",
    "cut": "cut {:.0%}",
    "repeat": "repeat {:.0%}",
    "reward_errors": "errors {:.0%}",
    "entropy": "entropy {:.3g}",
    "kl_rollout_trainer": "KL {:.1e}",
    "ratio_p99": "(ratio p99 {:.3g})",
    "zero_signal": "zero-signal {:.0%}",
    "staleness/0": "on-policy {:.0%}",
    "grad_norm": "gradient {:.2g}",
    "rollout_tokens_per_second": "rollout {:,.0f} tokens/s",
    "training_tokens_per_second": "training {:,.0f} tokens/s",
    "peak_rss_mib": "memory {:,.0f} MiB",
    "peak_gpu_mib": "GPU {:,.0f} MiB",
}
"""Figure -> how the panel shows it, in order."""


@dataclass(frozen=True)
class Finding:
    """One figure beyond a limit."""

    level: Literal["warn", "stop"]
    figure: str
    text: str
    """What was found, the limit, what it means and what to do, in one sentence."""


def examine(figures: Mapping[str, float], first: Mapping[str, float], last: Mapping[str, float], limits: Health) -> list[Finding]:
    """What is beyond the limits in this iteration's `figures`; `first` holds the first value of each figure (`first_values`),
    `last` the figures of the iteration before ({} at the first).

    One bad iteration warns; it stops the run when the one before was beyond the same stop limit, too. A figure that is no finite
    number stops at once. Figures that were not measured are passed over."""
    findings = [
        Finding("stop", name, f"{name} is {value}, not a finite number: look for broken samples, lower the learning rate, resume")
        for name, value in figures.items()
        if not math.isfinite(value)
    ]
    for rule in RULES:
        bounds: Sequence[float | None] = getattr(limits, rule.limit)
        warn, stop = (_bound(rule, bound, first) for bound in bounds)
        if _beyond(rule, figures, stop) and _beyond(rule, last, stop):
            findings.append(_finding("stop", rule, figures, stop, bounds[1]))
        elif _beyond(rule, figures, warn):
            findings.append(_finding("warn", rule, figures, warn, bounds[0]))
        elif _beyond(rule, figures, stop):
            findings.append(_finding("warn", rule, figures, stop, bounds[1]))
    return findings


class Watch:
    """The health panel over the iterations of a run: prints each, and tells when to stop. Rank 0 has one."""

    def __init__(self, limits: Health, rows: Sequence[Mapping[str, float]]) -> None:
        """`rows`: the iterations before a resume, as the spool has them."""
        self.limits = limits
        self.first, self.last = first_values(rows), dict(rows[-1]) if rows else {}

    def look(self, iteration: int, figures: Mapping[str, float], speeds: Mapping[str, float]) -> list[str]:
        """Print the panel of an iteration; the reasons to stop, [] when there are none."""
        findings = examine(figures, self.first, self.last, self.limits)
        print(panel(iteration, {**figures, **speeds}, findings), flush=True)
        self.first, self.last = {**figures, **self.first}, dict(figures)
        return [finding.text for finding in findings if finding.level == "stop"]


def first_values(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The first measured value of every figure in the rows of a spool: what collapse is measured against."""
    first: dict[str, float] = {}
    for row in rows:
        first = {**row, **first}
    return first


def panel(iteration: int, figures: Mapping[str, float], findings: Sequence[Finding] = ()) -> str:
    """The iteration in one line, figures that were not measured left out; each finding is a line below it."""
    shown = [text.format(figures[name]) for name, text in NAMES.items() if name in figures]
    lines = [f"iteration {iteration}  " + "  ".join(shown).replace("  (", " (")]
    return "\n".join(lines + [f"  {finding.level}: {finding.text}" for finding in findings])


def staleness(ages_and_tokens: Iterable[tuple[int, int]]) -> dict[str, float]:
    """`staleness/0` to `staleness/3+`: shares of the trained tokens that the policy of this iteration drew, that of the one before,
    and so on, from (age of a segment in iterations, its tokens). {} without tokens."""
    names = ("staleness/0", "staleness/1", "staleness/2", "staleness/3+")
    counts = [0] * len(names)
    for age, tokens in ages_and_tokens:
        counts[min(age, len(names) - 1)] += tokens
    return {name: count / sum(counts) for name, count in zip(names, counts, strict=True)} if sum(counts) else {}


def peak_memory() -> dict[str, float]:
    """`peak_rss_mib`, the most main memory that this process has held; on a GPU also `peak_gpu_mib`, the most that its tensors held
    since the last call. No two runs have equal ones: they belong to the speeds (Spool.log_speed), not to the curves."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # getrusage counts bytes there, KiB on Linux
    found = {"peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found["peak_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
        torch.cuda.reset_peak_memory_stats()
    return found


def _bound(rule: Rule, bound: float | None, first: Mapping[str, float]) -> float | None:
    """The value not to go beyond; None where there is no limit, or no first value that a share could be of."""
    if bound is None or not rule.of_first:
        return bound
    return bound * first[rule.figure] if rule.figure in first else None


def _beyond(rule: Rule, figures: Mapping[str, float], bound: float | None) -> bool:
    if bound is None or rule.figure not in figures or not math.isfinite(figures[rule.figure]):
        return False
    return figures[rule.figure] < bound if rule.of_first else figures[rule.figure] > bound


def _finding(
    level: Literal["warn", "stop"], rule: Rule, figures: Mapping[str, float], bound: float | None, given: float | None
) -> Finding:
    side = f"below {bound:.4g}, {given} of its first value" if rule.of_first else f"above {bound}"
    text = f"{rule.figure} = {figures[rule.figure]:.4g} is {side} (health.{rule.limit}): {rule.means}; {rule.do}"
    return Finding(level, rule.figure, text)
