"""Learning rates by the size of the model, each with its source: what `k15 init` writes, and above which `k15 plan` warns."""

from dataclasses import dataclass

REAL = 50_000_000
"""Weights from which on a model is no toy."""


@dataclass(frozen=True)
class Rates:
    """Of models of up to `weights`."""

    weights: float
    supervised: float
    because: str
    reinforced: float
    so: str
    supervised_limit: float
    """Published for such models, or five times as much: above, training goes wrong."""
    reinforced_limit: float


RATES = (
    Rates(
        REAL,
        1e-3,
        "ours: as the tiny model",
        5e-5,
        "ours: as the tiny model",
        float("inf"),
        float("inf"),
    ),
    Rates(
        0.5e9,
        1e-4,
        "a tenth of the 1e-3 of alignment-handbook's recipes/smollm2 for 135 M and 360 M base models",
        5e-6,
        "ours: between 1e-6 (verl's examples from 0.5 B on) and 2e-5 (open-r1's GRPO recipes)",
        1e-3,
        2e-5,
    ),
    Rates(
        2e9,
        3e-5,
        "a tenth of the 3e-4 of alignment-handbook's recipes/smollm2 for a base model of 1.7 B",
        1e-6,
        "verl's examples, 0.5 B to 7 B",
        3e-4,
        2e-5,
    ),
    Rates(
        float("inf"),
        2e-5,
        "§2.5.2, and alignment-handbook's recipes/smollm3 for 3 B",
        1e-6,
        "verl's examples, 0.5 B to 7 B",
        1e-4,
        1e-5,
    ),
)


def rates_for(weights: int) -> Rates:
    """Those of a model of so many weights."""
    return next(rates for rates in RATES if weights <= rates.weights)
