"""The health panel of the report: what RL's curves say of the run itself, its mixture and its domains. A figure or panel whose
columns no curve has is left out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from stages.reporting.curves import Curve, Validation
from stages.reporting.drawing import AREA, PALETTE, Figure, Key, Panel, Style
from stages.reporting.rl_figures import growth_panel, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEALTH: Mapping[str, tuple[str, str]] = {
    "reward": ("Mean reward", "verifier's reward, length reward included"),
    "mean_tokens": ("Mean response tokens", "over the iteration's samples"),
    "p95_tokens": ("95th percentile of tokens", "over the iteration's samples"),
    "entropy": ("Entropy of the policy", "nats per token"),
    "kl_rollout_trainer": ("KL, rollout against trainer", "mean gap of the log-probabilities of the same weights, nats; near 0"),
    "ratio_p99": (
        "Ratio - 1, 99th percentile",
        "of a token's probabilities in rollout and trainer, less 1; the same weights, so near 0",
    ),
    "ratio_max": ("Ratio - 1, largest", "the same of any token"),
    "grad_norm": ("Gradient norm", "largest of the iteration, before clipping"),
    "zero_signal": ("Zero-signal groups", "share of problems whose samples all get the same reward"),
    "truncated": ("Truncated responses", "share that reached the length limit"),
    "repeat": ("Repeating responses", "share ended because the text repeats itself"),
    "cut": ("Responses that go on", "share cut at the iteration's token budget, to be continued in the next"),
    "reward_errors": ("Undecided responses", "share that the verifier could not decide"),
}
"""Column of the RL curves -> name of its panel, and what it measures."""

DOMAIN = re.compile(r"domain/(.+)/accuracy")
SAMPLED = re.compile(r"sampled/pass_rate_(.+)_(.+)")
STALENESS = re.compile(r"staleness/(.+)")

LESS_ONE = {"ratio_p99", "ratio_max"}
"""Columns that are drawn less 1."""

_PHASES: tuple[tuple[str, Style], ...] = (("blue", "-"), ("vermilion", "--"))
_LAYERS = ("blue", "sky", "green", "amber", "vermilion", "purple")
_MARGINS = (0.62, 0.2, 0.46, 0.42)


def health(curves: Mapping[str, Curve]) -> Figure:
    """One panel for every health column that a curve has; `curves` by the name of the RL phase, long first."""
    shown = [column for column in HEALTH if any(curve.points(column) for curve in curves.values())]
    return Figure(
        "health",
        "Health of the RL runs",
        "One value an iteration. " + " ".join("{}: {}.".format(*HEALTH[name]) for name in shown),
        tuple(_health_panel(column, curves) for column in shown),
        columns=3,
        keys=tuple(Key(name, colour, style) for name, (colour, style) in zip(curves, _PHASES, strict=False)),
        margins=_MARGINS,
        height=2.2,
    )


def domains(phase: str, curve: Curve) -> Figure:
    """Accuracy and length of the training responses of one RL phase, by modality and domain; no panels when there is only one
    group, of which figure 5 and the health curves say enough."""
    names = sorted(match[1] for column in curve.columns if (match := DOMAIN.fullmatch(column)))
    prefixes = {"all text": "text", "all pictures": "image", **{name.replace("_", " "): f"domain/{name}" for name in names}}
    found: dict[str, list[Validation]] = {}
    for name, prefix in prefixes.items():
        if points := curve.points(*(f"{prefix}/{figure}" for figure in ("accuracy", "mean_tokens", "p95_tokens"))):
            found[name] = [Validation(int(step), *values) for step, *values in points]
    return Figure(
        "domains",
        f"Training responses by modality and domain, {phase}",
        "The iteration's own samples, of problems that the sampler chose: unlike figure 5 they are no fixed set, "
        "and accuracy falls when harder problems are drawn. Left axis: accuracy. Right axis: mean response tokens, with the band "
        "up to the 95th percentile.",
        tuple(growth_panel(name, points, markers=False) for name, points in found.items()) if len(found) > 1 else (),
        columns=4,
        keys=(
            Key("accuracy (left)", "blue"),
            Key("mean tokens (right)", "vermilion"),
            Key("up to the 95th percentile", "vermilion", "band"),
        ),
    )


def sampled(curves: Mapping[str, Curve]) -> Figure:
    """Which pass rates the sampler drew, stacked shares over iterations (§2.3.4)."""
    names = _columns(curves, SAMPLED)
    return Figure(
        "sampled",
        "Pass rates of what was drawn",
        "Shares of each iteration's problems by their pass rate before RL, measured in curation: hard at the bottom. A curriculum "
        "and prioritised sampling move the draw to hard problems.",
        tuple(_stack_panel(phase, curve, names) for phase, curve in curves.items() if names and curve.points(*names)),
        columns=2,
        keys=_layer_keys(" to ".join(match.groups()) for name in names if (match := SAMPLED.fullmatch(name))),
        margins=_MARGINS,
        height=2.2,
    )


def staleness(curves: Mapping[str, Curve]) -> Figure:
    """How many iterations old the trained tokens were, stacked shares over iterations (§2.6, partial rollouts)."""
    names = _columns(curves, STALENESS)
    return Figure(
        "staleness",
        "Age of trained tokens, in iterations",
        "Shares of the response tokens by the iteration whose policy drew them: this one, the one before, and so on. "
        "Partial rollouts reuse older segments.",
        tuple(_stack_panel(phase, curve, names) for phase, curve in curves.items() if names and curve.points(*names)),
        columns=2,
        keys=_layer_keys(match[1] for name in names if (match := STALENESS.fullmatch(name))),
        margins=_MARGINS,
        height=2.2,
    )


def _columns(curves: Mapping[str, Curve], pattern: re.Pattern[str]) -> list[str]:
    """Columns of any curve that match, in order."""
    return sorted({name for curve in curves.values() for name in curve.columns if pattern.fullmatch(name)})


def _layer_keys(labels: Iterable[str]) -> tuple[Key, ...]:
    return tuple(Key(label, colour, "bar") for label, colour in zip(labels, _LAYERS, strict=False))


def _stack_panel(phase: str, curve: Curve, names: Sequence[str]) -> Panel:
    points = curve.points(*names)
    alt = f"{phase}: " + "; ".join(
        f"{name} {points[0][place]:.2f} at first, {points[-1][place]:.2f} at last" for place, name in enumerate(names, 1)
    )

    def paint(axes: "Axes") -> None:
        steps, *shares = zip(*points, strict=True)
        axes.stackplot(steps, *shares, colors=[PALETTE[name] for name in _LAYERS[: len(names)]], alpha=AREA["bar"], linewidth=0)
        axes.set_ylim(0, 1)
        axes.set(xlabel="RL iteration", ylabel="share")
        axes.margins(x=0)
        ticks(axes, x=5, y=5)

    return Panel(phase, alt, paint)


def _health_panel(column: str, curves: Mapping[str, Curve]) -> Panel:
    base = 1.0 if column in LESS_ONE else 0.0
    found = {name: [(x, y - base) for x, y in curve.points(column)] for name, curve in curves.items()}
    alt = f"{HEALTH[column][0]}: " + "; ".join(
        f"{name} {points[0][1]:.3g} at first, {points[-1][1]:.3g} at last" for name, points in found.items() if points
    )

    def paint(axes: "Axes") -> None:
        for (colour, style), points in zip(_PHASES, found.values(), strict=False):
            axes.plot([x for x, _ in points], [y for _, y in points], color=PALETTE[colour], linestyle=style, linewidth=1.3)
        axes.set_xlabel("RL iteration")
        ticks(axes, x=5, y=4)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")  # no offset above the axis, where the title is

    return Panel(HEALTH[column][0], alt, paint)
