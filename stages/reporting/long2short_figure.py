"""Figure 7 of §3.4: tokens against accuracy of the long2short methods, in all and by suite, and the report's own points beside."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.reporting.drawing import PALETTE, Figure, Key, Panel
from stages.reporting.evaluations import CHECKPOINTS, Evaluation
from stages.reporting.published import published
from stages.reporting.rl_figures import ticks
from stages.reporting.run_tables import suites_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS: Mapping[str, tuple[str, str]] = {
    "short_sft": ("soft", "v"),
    "long_sft": ("ink", "X"),
    "long_rl": ("vermilion", "D"),
    "short_rl": ("blue", "o"),
    "dpo": ("green", "s"),
    "merged": ("purple", "^"),
    "merged_rs": ("sky", "<"),
    "shortest": ("amber", "P"),
}
"""Colour and marker of each of ours; a method of the report has the same."""

_THEIRS: Mapping[str, tuple[str, str]] = {
    "k1.5-long": _MARKS["long_rl"],
    "k1.5-short w/ rl": _MARKS["short_rl"],
    "k1.5-short w/ dpo": _MARKS["dpo"],
    "k1.5-short w/ merge": _MARKS["merged"],
    "k1.5-short w/ merge + rs": _MARKS["merged_rs"],
    "k1.5-shortest": _MARKS["shortest"],
    "DeepSeek-V3": ("soft", "*"),
    "Qwen2.5-72B-Inst": ("soft", "h"),
    "Claude 3.5 Sonnet": ("soft", "d"),
    "GPT-4o-0513": ("soft", "p"),
}


def figure7(evaluations: Mapping[str, Evaluation]) -> Figure:
    """Ours over all stand-in suites with 95% intervals; MATH-500 and AIME 2024 as the report drew them."""
    facts = published()
    return Figure(
        "figure7",
        "Figure 7: accuracy against response length of the long2short methods",
        "Left: this run, all stand-in suites pooled, bars are 95% intervals of accuracy. "
        "Middle and right: the report's own models on real benchmarks, for the shape only "
        f"({facts.source}, section 3.4, figure 7; {facts.figure7_how}).",
        (
            _own_panel(evaluations),
            _report_panel("math500", "the report: MATH-500"),
            _report_panel("aime2024", "the report: AIME 2024"),
        ),
        columns=3,
        width=4.3,
        height=4.15,
        margins=(0.62, 0.25, 1.5, 0.42),
    )


def figure7_suites(evaluations: Mapping[str, Evaluation]) -> Figure:
    """The same by suite: text, pictures, and each family."""
    shown = [name for name in _MARKS if name in evaluations]
    return Figure(
        "figure7_suites",
        "Figure 7 by suite",
        "This run's stand-in suites; bars are 95% intervals of accuracy. The report shows MATH-500 and AIME 2024 only.",
        tuple(_own_panel(evaluations, suite) for suite in suites_of(evaluations) if suite != "overall"),
        columns=3,
        width=4.3,
        keys=tuple(Key(CHECKPOINTS[name], _MARKS[name][0]) for name in shown),
        margins=(0.62, 0.2, 0.46, 0.42),
    )


def _own_panel(evaluations: Mapping[str, Evaluation], suite: str = "overall") -> Panel:
    runs = {name: evaluations[name] for name in _MARKS if name in evaluations}
    scores = {name: run.suites[suite] for name, run in runs.items() if suite in run.suites}
    title = "this run: stand-in suites" if suite == "overall" else suite.replace("_", " ")
    alt = f"{title}: " + "; ".join(
        f"{CHECKPOINTS[name]} {score.accuracy:.3f} at {score.mean_tokens:.0f} tokens" for name, score in scores.items()
    )

    def paint(axes: "Axes") -> None:
        for name, score in scores.items():
            low, high = (100 * bound for bound in score.ci95)
            axes.vlines(score.mean_tokens, low, high, color=PALETTE[_MARKS[name][0]], linewidth=1.0)
            _mark(axes, score.mean_tokens, 100 * score.accuracy, CHECKPOINTS[name], _MARKS[name])
        _finish(axes, legend=suite == "overall")

    return Panel(title, alt, paint)


def _report_panel(benchmark: str, name: str) -> Panel:
    points = [point for point in published().figure7_points if point.benchmark == benchmark]
    alt = f"{name}: " + "; ".join(f"{point.model} {point.accuracy} at {point.tokens} tokens" for point in points)

    def paint(axes: "Axes") -> None:
        for point in points:
            _mark(axes, point.tokens, point.accuracy, point.model, _THEIRS[point.model])
        _finish(axes)

    return Panel(name, alt, paint)


def _mark(axes: "Axes", tokens: float, percent: float, label: str, mark: tuple[str, str]) -> None:
    colour, marker = mark
    axes.plot(tokens, percent, color=PALETTE[colour], marker=marker, markersize=6.5, linestyle="none", label=label)


def _finish(axes: "Axes", legend: bool = True) -> None:
    axes.set(xlabel="mean response tokens", ylabel="accuracy, %")
    axes.margins(0.1)
    if legend:
        axes.legend(loc="upper left", bbox_to_anchor=(-0.08, -0.16), ncols=2, columnspacing=1.0, handletextpad=0.4, borderpad=0)
    ticks(axes, x=6, y=6)
