"""Figure 7 of §3.4: tokens against accuracy of the long2short methods, and the report's own points beside."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.reporting.drawing import PALETTE, Figure, Panel
from stages.reporting.evaluations import CHECKPOINTS, Evaluation
from stages.reporting.published import Point, published
from stages.reporting.rl_figures import ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS: Mapping[str, tuple[str, str]] = {
    "short_sft": ("soft", "v"),
    "long_sft": ("ink", "X"),
    "long_rl": ("vermilion", "D"),
    "short_rl": ("blue", "o"),
    "dpo": ("green", "s"),
    "merged": ("purple", "^"),
    "shortest": ("amber", "P"),
}
"""Colour and marker of each of ours; a method of the report has the same."""

_THEIRS: Mapping[str, tuple[str, str]] = {
    "k1.5-long": _MARKS["long_rl"],
    "k1.5-short w/ rl": _MARKS["short_rl"],
    "k1.5-short w/ dpo": _MARKS["dpo"],
    "k1.5-short w/ merge": _MARKS["merged"],
    "k1.5-short w/ merge + rs": ("sky", "<"),
    "k1.5-shortest": _MARKS["shortest"],
    "DeepSeek-V3": ("soft", "1"),
    "Qwen2.5-72B-Inst": ("soft", "2"),
    "Claude 3.5 Sonnet": ("soft", "3"),
    "GPT-4o-0513": ("soft", "4"),
}


def figure7(evaluations: Mapping[str, Evaluation]) -> Figure:
    """Ours over all stand-in suites with 95% intervals; MATH-500 and AIME 2024 as the report drew them."""
    facts = published()
    return Figure(
        "figure7",
        "Figure 7: accuracy against response length of the long2short methods",
        "Left: this run, all stand-in suites pooled, bars are 95% intervals of accuracy. "
        f"Middle and right: the report's own models on real benchmarks, for the shape only ({facts.source}, section 3.4, figure 7; "
        f"{facts.figure7_how}).",
        (
            _own_panel(evaluations),
            _report_panel("math500", "the report: MATH-500"),
            _report_panel("aime2024", "the report: AIME 2024"),
        ),
        columns=3,
        width=4.3,
        height=4.5,
        margins=(0.62, 0.25, 1.65, 0.42),
    )


def _own_panel(evaluations: Mapping[str, Evaluation]) -> Panel:
    scores = {name: evaluations[name].overall for name in _MARKS}
    alt = "this run: " + "; ".join(
        f"{CHECKPOINTS[name]} {score.accuracy:.3f} at {score.mean_tokens:.0f} tokens" for name, score in scores.items()
    )

    def paint(axes: "Axes") -> None:
        for name, score in scores.items():
            colour, marker = _MARKS[name]
            low, high = score.ci95
            axes.errorbar(
                score.mean_tokens,
                score.accuracy,
                yerr=[[max(score.accuracy - low, 0)], [max(high - score.accuracy, 0)]],
                color=PALETTE[colour], marker=marker, markersize=6.5, linestyle="none", elinewidth=1.0, capsize=2.5, label=CHECKPOINTS[name],
            )  # fmt: skip
        _finish(axes, "accuracy")

    return Panel("this run: stand-in suites", alt, paint)


def _report_panel(benchmark: str, name: str) -> Panel:
    points = [point for point in published().figure7_points if point.benchmark == benchmark]
    alt = f"{name}: " + "; ".join(f"{point.model} {point.accuracy} at {point.tokens} tokens" for point in points)

    def paint(axes: "Axes") -> None:
        for point in points:
            _plot(axes, point)
        _finish(axes, "accuracy, %")

    return Panel(name, alt, paint)


def _plot(axes: "Axes", point: Point) -> None:
    colour, marker = _THEIRS[point.model]
    axes.plot(
        point.tokens,
        point.accuracy,
        color=PALETTE[colour],
        marker=marker,
        markersize=6.5,
        linestyle="none",
        label=point.model,
    )


def _finish(axes: "Axes", label: str) -> None:
    axes.set(xlabel="mean response tokens", ylabel=label)
    axes.margins(0.1)
    axes.legend(
        loc="upper left", bbox_to_anchor=(-0.08, -0.16), ncols=2, columnspacing=1.0, handletextpad=0.4, borderpad=0
    )
    ticks(axes, x=6, y=6)
