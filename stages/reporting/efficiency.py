"""Token efficiency of the long2short methods (§3.4): accuracy points for 1,000 response tokens, ours and the report's own."""

from collections.abc import Mapping, Sequence

from stages.reporting.columns import OWN
from stages.reporting.evaluations import CHECKPOINTS, Evaluation, Score
from stages.reporting.handed_on import Handed, origin
from stages.reporting.published import Point, published
from stages.reporting.run_tables import suites_of
from stages.reporting.tables import Cell, Head, Line, Table, head, mark_best

THEIRS: Mapping[str, str] = {
    "k1.5-long": "long_rl",
    "k1.5-short w/ rl": "short_rl",
    "k1.5-short w/ dpo": "dpo",
    "k1.5-short w/ merge": "merged",
    "k1.5-short w/ merge + rs": "merged_rs",
    "k1.5-shortest": "shortest",
}
"""The report's models of figure 7, and which of our checkpoints is made the same way."""
FACTS = ("ci95_low", "ci95_high", "accuracy", "mean_tokens", "token_share", "accuracy_share")
"""Interval of the efficiency; accuracy in percent and tokens; both as shares of the long model's."""
_PANELS: Mapping[str, str] = {"math500": "MATH-500", "aime2024": "AIME 2024"}


def efficiency_table(evaluations: Mapping[str, Evaluation], handed: Handed) -> Table:
    """Suites of the run first, then the benchmarks of the report's figure; the columns are the models of figure 7."""
    names, long = [name for name in THEIRS.values() if name in evaluations], evaluations.get(origin("long_rl", handed))
    runs = [evaluations[name] for name in names]
    ours = [
        Line(
            "pooled and families",
            f"{suite} (stand-in, this run)",
            mark_best(_own(runs, long, suite)),
        )
        for suite in suites_of(evaluations)
    ]
    theirs = [Line("the report", f"{title} (the report)", mark_best(_report(names, key))) for key, title in _PANELS.items()]
    return Table(
        "efficiency",
        "Token efficiency",
        "Accuracy in percent for 1,000 mean response tokens, so that 80% at 50 tokens is 1,600. Ours with the 95% interval of "
        "accuracy over the same tokens; below it accuracy, tokens, and both as shares of the long model's. The rows of the report "
        "are computed from its figure 7: other problems and models, for the order of the methods only. A short wrong answer is "
        "cheap: read the number beside the accuracy. Bold: the best of the row.",
        "Suite",
        tuple(_head(name, evaluations[name]) for name in names),
        (*ours, *theirs),
        FACTS,
    )


def _head(name: str, run: Evaluation) -> Head:
    return head(CHECKPOINTS[name], OWN, run.parameters)


def _own(runs: Sequence[Evaluation], long: Evaluation | None, suite: str) -> list[Cell]:
    return [_scored(run.suites.get(suite), None if long is None else long.suites.get(suite)) for run in runs]


def _scored(score: Score | None, long: Score | None) -> Cell:
    if score is None or score.mean_tokens == 0:
        return Cell(None, reason="not evaluated on it" if score is None else "no tokens")
    interval = tuple(100_000 * bound / score.mean_tokens for bound in score.ci95)
    whole = None if long is None else (100 * long.accuracy, long.mean_tokens)
    return _cell(100 * score.accuracy, score.mean_tokens, whole, interval)


def _report(names: Sequence[str], benchmark: str) -> list[Cell]:
    points: dict[str, Point] = {
        THEIRS[point.model]: point for point in published().figure7_points if point.benchmark == benchmark and point.model in THEIRS
    }
    long = points["long_rl"]
    return [_cell(points[name].accuracy, points[name].tokens, (long.accuracy, long.tokens), ()) for name in names]


def _cell(percent: float, tokens: float, long: tuple[float, float] | None, interval: tuple[float, ...]) -> Cell:
    """A cell from accuracy in percent and mean tokens; `long` is the same of the long model."""
    value = 1000 * percent / tokens
    shares = (tokens / long[1], percent / long[0]) if long and long[0] and long[1] else None
    shown = [f"[{interval[0]:.0f}, {interval[1]:.0f}]"] if interval else []
    shown.append(f"{percent:.1f}% at {tokens:.0f} tokens")
    shown += [f"{shares[0]:.0%} of the tokens, {shares[1]:.0%} of the accuracy"] if shares else []
    bounds = [f"{bound:.1f}" for bound in interval] or ["", ""]
    values = [*bounds, f"{percent:.2f}", f"{tokens:.1f}", *([f"{share:.4f}" for share in shares] if shares else ["", ""])]
    return Cell(value, f"{value:.0f}", tuple(shown), facts=dict(zip(FACTS, values, strict=True)))
