"""Figures 5 and 6 of §3.3, from the curves that RL wrote."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stages.reporting.curves import Validation
from stages.reporting.drawing import AREA, PALETTE, Figure, Key, Panel
from stages.reporting.fits import Line, fit_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def figure5(suites: Mapping[str, Sequence[Validation]]) -> Figure:
    """Accuracy (left axis) and mean tokens with the band up to the 95th percentile (right axis) over RL iterations."""
    return Figure(
        "figure5",
        "Figure 5: accuracy and length over RL iterations, stand-in suites",
        "Validation problems of each stand-in suite, answered at the sampling temperature of training. "
        "Left axis: accuracy. Right axis: mean response tokens; the band reaches up to the 95th percentile of length, "
        "as in the report's figure 5.",
        tuple(growth_panel(suite, points) for suite, points in suites.items()),
        columns=4,
        keys=(
            Key("accuracy (left)", "blue"),
            Key("mean tokens (right)", "vermilion"),
            Key("up to the 95th percentile", "vermilion", "band"),
        ),
    )


def figure6(suites: Mapping[str, Sequence[Validation]]) -> Figure:
    """Accuracy against mean tokens over the checkpoints of RL, with the least-squares line of each suite."""
    return Figure(
        "figure6",
        "Figure 6: accuracy against length over RL checkpoints, stand-in suites",
        "One point a validation of RL, fainter to stronger with the iterations. Slope: points of accuracy per token by "
        "least squares, with its 95% interval as if the points were independent, which neighbours are not quite. "
        "The x axis is the suite's own mean length; in the report's panels it is that of the whole set.",
        tuple(_length_panel(suite, points) for suite, points in suites.items()),
        columns=4,
        margins=(0.7, 0.2, 0.46, 0.56),
    )


def slope_text(line: Line | None) -> str:
    """The slope with its interval in points of accuracy per token, or why there is none."""
    if line is None:
        return "no slope: lengths do not differ"
    if line.slope == 0.0:
        return "no slope: accuracy does not differ"
    if line.ci95 is None:
        return f"slope {100 * line.slope:+.2f}, no interval from two points"
    return f"slope {100 * line.slope:+.2f} [{100 * line.ci95[0]:+.2f}, {100 * line.ci95[1]:+.2f}]"


def suite_line(points: Sequence[Validation]) -> Line | None:
    """The line of one suite: accuracy (0 to 1) against the suite's own mean tokens."""
    return fit_line([point.mean_tokens for point in points], [point.accuracy for point in points])


_ROUND = (1, 2, 2.5, 5, 10)
"""Leading digits of tick distances."""


def growth_panel(suite: str, points: Sequence[Validation], markers: bool = True) -> Panel:
    """Accuracy (left axis) and mean tokens with the band up to the 95th percentile (right axis) over iterations."""
    square, circle = ("s", "o") if markers else (None, None)
    first, last = points[0], points[-1]
    alt = (
        f"{suite}, iterations {first.iteration} to {last.iteration}: "
        f"accuracy {first.accuracy:.3f} to {last.accuracy:.3f}, "
        f"mean tokens {first.mean_tokens:.0f} to {last.mean_tokens:.0f}, "
        f"95th percentile {first.p95_tokens:.0f} to {last.p95_tokens:.0f}"
    )

    def paint(left: "Axes") -> None:
        iterations = [point.iteration for point in points]
        right = left.twinx()
        right.grid(False)
        right.fill_between(
            iterations,
            [point.mean_tokens for point in points],
            [point.p95_tokens for point in points],
            color=PALETTE["vermilion"], alpha=AREA["band"], linewidth=0,
        )  # fmt: skip
        right.plot(iterations, [point.mean_tokens for point in points], color=PALETTE["vermilion"], marker=square, markersize=2.5)
        accuracy = [point.accuracy for point in points]
        right.plot(iterations, accuracy, color=PALETTE["blue"], marker=circle, markersize=3, transform=left.transData)
        left.set_ylim(-0.02, 1.03)
        right.set_ylim(0, 1.05 * max(max(point.p95_tokens for point in points), 1))
        left.set(xlabel="RL iteration", ylabel="accuracy")
        right.set_ylabel("tokens")
        left.yaxis.label.set_color(PALETTE["blue"])
        right.yaxis.label.set_color(PALETTE["vermilion"])
        ticks(left, x=5, y=5)
        ticks(right, y=5)

    return Panel(suite.replace("_", " "), alt, paint)


def _length_panel(suite: str, points: Sequence[Validation]) -> Panel:
    line = suite_line(points)
    text = slope_text(line)

    def paint(axes: "Axes") -> None:
        tokens = [point.mean_tokens for point in points]
        for place, point in enumerate(points):
            shade = 0.3 + 0.7 * place / max(len(points) - 1, 1)
            axes.plot(point.mean_tokens, point.accuracy, "o", color=PALETTE["blue"], alpha=shade, markeredgewidth=0)
        if line is not None:
            ends = [min(tokens), max(tokens)]
            axes.plot(ends, [line.intercept + line.slope * x for x in ends], color=PALETTE["vermilion"], linewidth=1.2)
        axes.set(xlabel="mean response tokens", ylabel="accuracy")
        axes.set_title(suite.replace("_", " "), pad=18)
        axes.text(0, 1.03, text, transform=axes.transAxes, color=PALETTE["soft"], size=8)
        ticks(axes, x=5, y=5)

    return Panel(suite.replace("_", " "), f"{suite}: {len(points)} checkpoints, {text}", paint)


def ticks(axes: "Axes", x: int | None = None, y: int | None = None) -> None:
    """At most about `x` and `y` ticks, at round numbers."""
    from matplotlib.ticker import MaxNLocator

    if x is not None:
        axes.xaxis.set_major_locator(MaxNLocator(x, steps=_ROUND))
    if y is not None:
        axes.yaxis.set_major_locator(MaxNLocator(y, steps=_ROUND))
