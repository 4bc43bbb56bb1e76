"""Seconds, tokens and money of each stage: what it has to do (workload) at the rates of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.architecture import Model
from flows.measured_rates import Rates
from flows.workload import Work
from stages.run.params import Hardware

RECOMPUTED = 4 / 3
"""Of training, with gradient checkpointing: each layer's forward runs twice."""


@dataclass(frozen=True)
class Cost:
    """Of one stage."""

    stage: str
    work: Work
    seconds: float


def cost_of(stage: str, work: Work, model: Model, hardware: Hardware, rates: Rates, width: int) -> Cost:
    """Seconds on `hardware.processes` ranks; a model is written by one of them. `model.weights` must be known."""
    assert model.weights is not None
    again = RECOMPUTED if hardware.gradient_checkpointing else 1.0
    operations = model.weights * (6 * work.trained * again + 2 * work.read)
    seconds = (operations / rates.operations + work.generated / rates.tokens) / hardware.processes
    return Cost(stage, work, seconds + work.saved * model.weights * width / rates.disk)


def table(costs: Sequence[Cost], gpus: int, price: float | None) -> list[str]:
    """Lines: each stage that takes time, then the sum; with a price of a GPU-hour the money."""
    shown = [cost for cost in costs if cost.seconds >= 1]
    total = Cost("all", sum((cost.work for cost in costs), Work()), sum(cost.seconds for cost in costs))
    width = max(len(cost.stage) for cost in [*shown, total])
    lines = []
    for cost in [*shown, total]:
        work = cost.work
        tokens = [
            f"{_short(count)} tokens {what}" for what, count in (("trained", work.trained), ("generated", work.generated)) if count
        ]
        words = [f"{duration(cost.seconds):>8}", *tokens]
        if price is not None:
            words.append(f"{cost.seconds / 3600 * max(1, gpus) * price:,.2f}")
        lines.append(f"{cost.stage:<{width}}  " + ", ".join(words))
    return lines


def duration(seconds: float) -> str:
    """90 -> "1.5 min"."""
    for unit, factor in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= factor:
            return f"{seconds / factor:,.1f} {unit}"
    return f"{seconds:.0f} s"


def _short(count: float) -> str:
    for unit, factor in ((" bn", 1e9), (" M", 1e6), ("k", 1e3)):
        if count >= factor:
            return f"{count / factor:,.1f}{unit}"
    return f"{count:.0f}"
