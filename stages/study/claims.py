"""The claims that the study puts to the test, each with what is compared, in which direction, and by which test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stages.study.runs import When
from stages.study.settings import CONTROL

Measure = Literal["accuracy", "tokens"]
MARGIN = 0.02
"""Ours: an accuracy that is at most two points lower counts as no worse."""


@dataclass(frozen=True)
class Side:
    """A variant, before or after RL."""

    variant: str
    when: When = "after"


@dataclass(frozen=True)
class Claim:
    """`first` has more of the measure than `second` (or, with a margin, not that much less), on the same problems."""

    name: str
    where: str
    """Section or figure of the report, or "ours" where it makes no such claim."""
    says: str
    first: Side
    second: Side
    measure: Measure = "accuracy"
    margin: float = 0.0
    figure: str = ""
    """The figure that shows it."""


SFT, RL = Side(CONTROL, "before"), Side(CONTROL)
CLAIMS: Sequence[Claim] = (
    Claim("accuracy_rises", "§3.3, figure 5", "RL raises accuracy", RL, SFT, figure="growth"),
    Claim("length_rises", "§3.3, figure 5", "responses grow longer with it", RL, SFT, "tokens", figure="growth"),
    Claim(
        "small_catches_up",
        "§3.5, figure 8",
        "after RL, with longer answers, the small model is as good as the large one before it",
        RL,
        Side("large", "before"),
        figure="sizes",
    ),
    Claim("large_ends_higher", "§3.5, figure 8", "the large model ends at a higher accuracy", Side("large"), RL, figure="sizes"),
    Claim(
        "curriculum",
        "§3.5, figure 9",
        "hard problems only, after a while, beat uniform sampling throughout",
        Side("curriculum"),
        Side("uniform"),
        figure="curriculum",
    ),
    Claim(
        "negative_gradients",
        "§3.5, figure 10",
        "pushing wrong responses down beats fitting right ones only (ReST)",
        RL,
        Side("rest"),
        figure="negative_gradients",
    ),
    Claim(
        "length_penalty",
        "§2.3.3",
        "with the length penalty responses are shorter",
        RL,
        Side("length_penalty"),
        "tokens",
        figure="length_penalty",
    ),
    Claim(
        "length_penalty_accuracy",
        "§2.3.3",
        "switched on late, it costs at most two points of accuracy",
        Side("length_penalty"),
        RL,
        margin=MARGIN,
        figure="length_penalty",
    ),
    Claim("prioritised", "§2.3.4", "prioritised sampling beats uniform sampling", RL, Side("uniform"), figure="curriculum"),
    Claim(
        "partial_rollouts",
        "§2.6",
        "partial rollouts cost at most two points against whole ones",
        RL,
        Side("whole_rollouts"),
        margin=MARGIN,
        figure="partial_rollouts",
    ),
    Claim(
        "optimizer_reset",
        "§2.3.2",
        "the optimizer's reset at each iteration costs at most two points",
        RL,
        Side("kept_optimizer"),
        margin=MARGIN,
        figure="optimizer_reset",
    ),
    Claim(
        "tau_low",
        "ours",
        "our tau is at most two points worse than a tenth of it",
        RL,
        Side("tau_low"),
        margin=MARGIN,
        figure="tau",
    ),
    Claim(
        "tau_high",
        "ours",
        "our tau is at most two points worse than ten times it",
        RL,
        Side("tau_high"),
        margin=MARGIN,
        figure="tau",
    ),
    Claim(
        "mean_baseline",
        "§2.3.2",
        "the mean of the rewards is at most two points worse than the log-partition",
        RL,
        Side("log_partition"),
        margin=MARGIN,
        figure="baseline",
    ),
)
"""Compared by the paired bootstrap."""

FIGURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "growth": ("Figure 5: accuracy and length over RL", (CONTROL,)),
    "sizes": ("Figure 8: a small model with longer answers, a larger one", (CONTROL, "large")),
    "curriculum": ("Figure 9: curriculum, uniform and prioritised sampling", ("uniform", "curriculum", CONTROL)),
    "negative_gradients": ("Figure 10: with negative gradients, and ReST", (CONTROL, "rest")),
    "length_penalty": ("Length penalty", (CONTROL, "length_penalty")),
    "partial_rollouts": ("Partial and whole rollouts", (CONTROL, "whole_rollouts")),
    "optimizer_reset": ("Optimizer reset or kept", (CONTROL, "kept_optimizer")),
    "tau": ("Tau over two decades", ("tau_low", CONTROL, "tau_high")),
    "baseline": ("Mean of the rewards or log-partition", (CONTROL, "log_partition")),
}
"""Name -> title and the variants whose curves it shows."""
