"""Losses of every training stage, and the funnels of curation and warm-up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.reporting.curves import Curve
from stages.reporting.drawing import AREA, PALETTE, Figure, Key, Panel
from stages.reporting.inputs import Funnel
from stages.reporting.rl_figures import ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS_PER_INCH = 3.2
"""Rows of a funnel in an inch of height."""


def losses(curves: Mapping[str, Curve]) -> Figure:
    """The training loss of every stage that has one; `curves` by the label of the checkpoint that came out."""
    found = {name: points for name, curve in curves.items() if (points := curve.points("loss"))}
    return Figure(
        "losses",
        "Training losses",
        "One value an optimizer step; for the two RL stages one an iteration, where the loss need not fall (eq. 3). "
        "Thin: as logged; thick: mean of the last twentieth of all values up to there.",
        tuple(_loss_panel(name, points, name in _RL) for name, points in found.items()),
        columns=4,
        margins=(0.62, 0.2, 0.46, 0.42),
        height=2.2,
    )


_RL = ("long RL", "short RL")


def funnel_figure(funnels: Mapping[str, Funnel]) -> Figure:
    """What each rule left and removed, one panel for each funnel that has a rule."""
    funnels = {name: funnel for name, funnel in funnels.items() if funnel.steps}
    longest = max((len(funnel.steps) for funnel in funnels.values()), default=1)
    return Figure(
        "funnel",
        "What collection, curation and warm-up removed, rule by rule",
        "Rows that each rule left and removed, from the top. Every removed row is counted; the tables give examples.",
        tuple(_funnel_panel(name, funnel, longest) for name, funnel in funnels.items()),
        columns=2,
        keys=(Key("left", "blue", "bar"), Key("removed", "vermilion", "bar")),
        width=5.6,
        height=max(1.6, 1.0 + longest / _BARS_PER_INCH),
        margins=(1.9, 0.75, 0.46, 0.42),
    )


def _loss_panel(name: str, points: list[tuple[float, ...]], rl: bool) -> Panel:
    steps, values = [step for step, _ in points], [value for _, value in points]
    window = max(1, len(values) // 20)
    smooth = [sum(values[max(0, end - window) : end]) / min(window, end) for end in range(1, len(values) + 1)]

    def paint(axes: "Axes") -> None:
        axes.plot(steps, values, color=PALETTE["sky"], linewidth=0.7, alpha=0.7, marker="o" if len(values) < 3 else None)
        axes.plot(steps, smooth, color=PALETTE["blue"], linewidth=1.6)
        axes.set(xlabel="RL iteration" if rl else "step", ylabel="loss")
        ticks(axes, x=5, y=4)

    return Panel(name, f"{name}: loss {values[0]:.3g} at first, {values[-1]:.3g} at last, {len(values)} values", paint)


def _funnel_panel(name: str, funnel: Funnel, slots: int) -> Panel:
    steps = funnel.steps
    alt = f"{name}: " + "; ".join(f"{step.rule}: {step.before} in, {step.removed} removed, {step.after} left" for step in steps)

    def paint(axes: "Axes") -> None:
        places = range(len(steps))
        axes.barh(places, [step.after for step in steps], color=PALETTE["blue"], alpha=AREA["bar"], height=0.66)
        removed = [max(step.removed, 0) for step in steps]
        axes.barh(
            places,
            removed,
            left=[step.after for step in steps],
            color=PALETTE["vermilion"],
            alpha=AREA["bar"],
            height=0.66,
        )
        top = max((step.after + max(step.removed, 0) for step in steps), default=1) or 1
        for place, step in enumerate(steps):
            text = f"{step.after:,}" + (f" (-{step.removed:,})" if step.removed > 0 else "")
            axes.text(step.after + max(step.removed, 0) + 0.015 * top, place, text, va="center", size=7.5)
        axes.set_yticks(list(places), [_short(step.rule) for step in steps])
        axes.set_ylim(max(slots, 1) - 0.4, -0.6)
        axes.set_xlim(0, 1.08 * top)
        axes.grid(False, axis="y")
        axes.set_xlabel("rows")
        ticks(axes, x=5)

    return Panel(name, alt, paint)


def _short(rule: str, limit: int = 32) -> str:
    words = rule.replace("_", " ")
    return words if len(words) <= limit else words[: limit - 1] + "…"
