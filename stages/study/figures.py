"""The figures of the study: curves of variants over the iterations, slopes by suite, sizes, and all findings on one axis."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from stages.reporting.curves import Validation
from stages.reporting.drawing import AREA, PALETTE, Figure, Key, Panel
from stages.reporting.fits import fit_line
from stages.reporting.rl_figures import growth_panel, ticks
from stages.study.claims import FIGURES
from stages.study.comparison import over_seeds
from stages.study.findings import Finding, slopes_of
from stages.study.runs import Run, Runs
from stages.study.settings import CONTROL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("blue", "vermilion", "green", "purple")
_VERDICTS = {"held": "green", "not held": "vermilion", "undecided": "soft"}


def figures(runs: Runs, found: Sequence[Finding]) -> list[Figure]:
    """Every figure whose runs are there."""
    drawn = [forest(found), growth(runs), *slope_figure(runs)]
    for name, (title, variants) in FIGURES.items():
        if name not in ("growth", "sizes") and set(variants) <= runs.keys():
            drawn.append(curves(name, title, {variant: runs[variant] for variant in variants}))
    if "large" in runs:
        drawn.append(sizes(runs))
    return sorted(drawn, key=lambda figure: ("findings", *FIGURES, "slopes").index(figure.name))


def label(variant: str) -> str:
    """How figures and tables call a variant."""
    return {CONTROL: "the recipe", "rest": "ReST"}.get(variant, variant.replace("_", " "))


def average(runs: Sequence[Run], suite: str) -> list[Validation]:
    """The validations of a suite, averaged over the seeds; only iterations that all seeds have."""
    by_seed = [{point.iteration: point for point in run.curve.get(suite, ())} for run in runs]
    common = sorted(set.intersection(*(set(points) for points in by_seed)))
    return [
        Validation(
            iteration,
            fmean(points[iteration].accuracy for points in by_seed),
            fmean(points[iteration].mean_tokens for points in by_seed),
            fmean(points[iteration].p95_tokens for points in by_seed),
        )
        for iteration in common
    ]


def suites_of(runs: Mapping[int, Run]) -> list[str]:
    """Suites of the validations, the total first."""
    return list(next(iter(runs.values())).curve)


def curves(name: str, title: str, variants: Mapping[str, Mapping[int, Run]]) -> Figure:
    """Accuracy and mean tokens over the iterations: the mean over seeds, and the band from the lowest seed to the highest."""
    seeds = len(next(iter(variants.values())))
    return Figure(
        name,
        title,
        f"Validation problems, all suites together, during RL. Lines: mean of {seeds} seeds; bands: from lowest to highest.",
        (_curve_panel("accuracy", variants), _curve_panel("mean_tokens", variants)),
        columns=2,
        width=4.1,
        height=2.9,
        keys=tuple(Key(label(variant), colour) for variant, colour in zip(variants, _COLOURS, strict=False)),
    )


def _curve_panel(measure: str, variants: Mapping[str, Mapping[int, Run]]) -> Panel:
    title = "accuracy" if measure == "accuracy" else "mean tokens"
    means = {variant: average(list(runs.values()), "total") for variant, runs in variants.items()}
    ends = (f"{label(v)} {getattr(m[0], measure):.3g} to {getattr(m[-1], measure):.3g}" for v, m in means.items())

    def paint(axes: "Axes") -> None:
        for (variant, runs), colour in zip(variants.items(), _COLOURS, strict=False):
            iterations = [point.iteration for point in means[variant]]
            axes.plot(
                iterations, [getattr(point, measure) for point in means[variant]], color=PALETTE[colour], marker="o", markersize=3
            )
            each = [
                [getattr(point, measure) for point in run.curve["total"] if point.iteration in iterations] for run in runs.values()
            ]
            low, high = ([pick(values) for values in zip(*each, strict=True)] for pick in (min, max))
            axes.fill_between(iterations, low, high, color=PALETTE[colour], alpha=AREA["band"], linewidth=0)
        axes.set(xlabel="RL iteration", ylabel=title)
        ticks(axes, x=6, y=5)

    return Panel(title, f"{title}: {'; '.join(ends)}", paint)


def growth(runs: Runs) -> Figure:
    """Figure 5, averaged over the seeds."""
    found = list(runs[CONTROL].values())
    suites = {suite: average(found, suite) for suite in suites_of(runs[CONTROL])}
    return Figure(
        "growth",
        FIGURES["growth"][0],
        f"Validation problems by suite, mean of {len(found)} seeds. Left axis: accuracy. Right axis: mean response tokens; the "
        "band reaches up to the 95th percentile of length.",
        tuple(growth_panel(suite, points) for suite, points in suites.items()),
        columns=4,
        keys=(Key("accuracy (left)", "blue"), Key("mean tokens (right)", "vermilion"), Key("95th percentile", "vermilion", "band")),
    )


def slope_figure(runs: Runs) -> list[Figure]:
    """Figure 6: by suite, points of accuracy for each further token during RL, with the interval over seeds."""
    suites, rows = suites_of(runs[CONTROL]), list[tuple[str, float, float, float]]()
    for suite in suites:
        values = [value for value in slopes_of(runs[CONTROL], suite) if value is not None]
        if len(values) > 1:
            effect = over_seeds(values)
            rows.append((suite.replace("_", " "), effect.mean, effect.low, effect.high))
    made = Figure(
        "slopes",
        "Figure 6: slope of accuracy over length by suite",
        "Points of accuracy for each further token, by least squares over the validations of RL; mean over seeds with its 95% "
        "interval by Student's t. The report: 2.5 points for 1,000 tokens, of another model and problems.",
        (_bars("points a token", rows, ["blue"] * len(rows)),),
        columns=1,
        width=7.2,
        height=0.9 + 0.32 * len(rows),
        margins=(1.6, 0.3, 0.46, 0.36),
    )
    return [made] if rows else []


def sizes(runs: Runs) -> Figure:
    """Figure 8: accuracy over mean tokens of the small and the large model, by suite, with lines through the validations."""
    pair = {CONTROL: "blue", "large": "vermilion"}
    suites = suites_of(runs[CONTROL])
    return Figure(
        "sizes",
        FIGURES["sizes"][0],
        "One point a validation of RL, mean over seeds, with the least-squares line. The recipe's model is the small one.",
        tuple(_size_panel(suite, {name: average(list(runs[name].values()), suite) for name in pair}, pair) for suite in suites),
        columns=4,
        keys=(Key("small", "blue"), Key("large", "vermilion")),
        margins=(0.62, 0.2, 0.46, 0.42),
    )


def _size_panel(suite: str, found: Mapping[str, Sequence[Validation]], colours: Mapping[str, str]) -> Panel:
    def paint(axes: "Axes") -> None:
        for name, points in found.items():
            tokens = [point.mean_tokens for point in points]
            line = fit_line(tokens, [point.accuracy for point in points])
            axes.plot(tokens, [point.accuracy for point in points], "o", color=PALETTE[colours[name]], alpha=0.6, markeredgewidth=0)
            if line is not None:
                ends = [min(tokens), max(tokens)]
                axes.plot(ends, [line.intercept + line.slope * x for x in ends], color=PALETTE[colours[name]], linewidth=1.2)
        axes.set(xlabel="mean response tokens", ylabel="accuracy")
        ticks(axes, x=5, y=5)

    title = suite.replace("_", " ")
    ends = (f"{label(n)} {p[0].accuracy:.3f} to {p[-1].accuracy:.3f} at {p[-1].mean_tokens:.0f} tokens" for n, p in found.items())
    return Panel(title, f"{title}: {'; '.join(ends)}", paint)


def forest(found: Sequence[Finding]) -> Figure:
    """Every effect on accuracy, in points, and on length, in tokens, with its interval; the colour is the verdict's."""
    panels = []
    for unit, title in (("points", "accuracy, points"), ("tokens", "length, tokens")):
        rows = [(one.name.replace("_", " "), one.effect, one.verdict) for one in found if one.unit == unit and one.effect]
        values = [(name, effect.mean, effect.low, effect.high) for name, effect, _ in rows]
        panels += [_bars(title, values, [_VERDICTS[decided] for *_, decided in rows])] if rows else []
    most = max(sum(one.unit == unit for one in found) for unit in ("points", "tokens"))
    return Figure(
        "findings",
        "What the study found",
        "Difference that each claim is about, mean over seeds with its 95% interval. A claim that allows two points less holds "
        "above -2.",
        tuple(panels),
        columns=2,
        width=5.6,
        height=0.9 + 0.3 * max(1, most),
        margins=(2.0, 0.3, 0.46, 0.42),
        keys=tuple(Key(decided, colour) for decided, colour in _VERDICTS.items()),
    )


def _bars(title: str, rows: Sequence[tuple[str, float, float, float]], colours: Sequence[str]) -> Panel:
    """Points with horizontal intervals, one row each, the first on top."""
    alt = f"{title}: " + "; ".join(f"{name} {mean:+.2f} [{low:+.2f}, {high:+.2f}]" for name, mean, low, high in rows)

    def paint(axes: "Axes") -> None:
        places = list(range(len(rows)))[::-1]
        for place, (_, mean, low, high), colour in zip(places, rows, colours, strict=True):
            axes.hlines(place, low, high, color=PALETTE[colour], linewidth=1.6)
            axes.plot(mean, place, "o", color=PALETTE[colour], markersize=4.5)
        axes.axvline(0, color=PALETTE["ink"], linewidth=0.8)
        axes.set_yticks(places, [name for name, *_ in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel(title)
        ticks(axes, x=6)

    return Panel(title, alt, paint)
