"""Tables 2 and 3 with our columns beside the published ones, and the tables of what has no place there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stages.reporting.evaluations import CHECKPOINTS, POOLED, Benchmark, Evaluation, Missing, Score
from stages.reporting.limits import whole, why_not_whole
from stages.reporting.published import PublishedTable, published

OURS: Mapping[int, tuple[str, ...]] = {
    2: ("long_sft", "long_rl"),
    3: ("short_sft", "merged", "shortest", "dpo", "short_rl"),
}
"""Our columns of tables 2 (long-CoT) and 3 (short-CoT)."""

OWN = "this run"
"""The group of our columns."""


@dataclass(frozen=True)
class Cell:
    """One number of a table, or the reason why there is none."""

    value: float | None
    """Percent, as printed; None for an empty cell."""
    text: str = ""
    """How the number reads."""
    detail: tuple[str, ...] = ()
    """Ours: interval, tokens, n and k, in words."""
    reason: str = ""
    """Why the cell is empty."""
    best: bool = False
    score: Score | None = None
    """What was measured, for the CSV; None for published numbers and empty cells."""


@dataclass(frozen=True)
class Head:
    """A column: its name and the group above it."""

    name: str
    group: str
    size: str = ""
    """Weights of our model; the report gives none of its own."""


@dataclass(frozen=True)
class Line:
    """A row: what it measures, and its cells."""

    block: str
    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A finished table; text, CSV and HTML show the same cells."""

    name: str
    title: str
    caption: str
    first: str
    """Heading of the first column."""
    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = field(default=())


def published_table(number: int, evaluations: Mapping[str, Evaluation]) -> Table:
    """Table 2 or 3: the report's columns, then ours on real benchmarks only; the best of each row is marked."""
    theirs = published().table(number)
    ours = {name: evaluations[name] for name in OURS[number]}
    heads = [Head(column.name, column.group) for column in theirs.columns]
    heads += [_head(name, run) for name, run in ours.items()]
    lines = []
    for row in theirs.rows:
        cells = [_published_cell(theirs, row.benchmark, column.name) for column in theirs.columns]
        cells += [_benchmark_cell(row.benchmark, run) for run in ours.values()]
        lines.append(Line(row.block, f"{row.title} ({row.metric})", _mark_best(cells)))
    return Table(
        f"table{number}",
        f"Table {number}: {theirs.title}",
        f"Published columns: {published().source}, table {number}, p. {theirs.page}. Ours: percent, with the 95% "
        "interval, mean response tokens, n problems and k responses to each. Bold: the best of the row. "
        "The models differ in size by orders of magnitude.",
        "Benchmark (metric)",
        tuple(heads),
        tuple(lines),
    )


def stand_in_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """Every checkpoint on the held-out stand-in suites, pooled ones first."""
    suites = list(dict.fromkeys(suite for run in evaluations.values() for suite in run.suites))
    suites.sort(key=lambda suite: (POOLED.index(suite) if suite in POOLED else len(POOLED), suite))
    lines = []
    for suite in suites:
        cells = [_suite_cell(suite, run) for run in evaluations.values()]
        real = any(cell.score is not None and not cell.score.stand_in for cell in cells)
        lines.append(Line("pooled" if suite in POOLED else "families", suite if real else f"{suite} (stand-in)", _mark_best(cells)))
    return Table(
        "stand_in",
        "Stand-in suites",
        "Held-out problems of the run's own sources. They stand in for benchmarks and are none: no number here can be "
        "compared with a published one. Accuracy in percent with its 95% interval, mean response tokens, n problems, "
        "k responses to each. Bold: the best of the row.",
        "Suite",
        tuple(_head(name, run) for name, run in evaluations.items()),
        tuple(lines),
    )


def partial_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """Benchmarks that were run on part of their items; a table without rows when there are none."""
    names = sorted(
        {
            name
            for run in evaluations.values()
            for name, result in run.benchmarks.items()
            if isinstance(result, Benchmark) and not whole(name, result)
        }
    )
    lines, notes = [], list[str]()
    for name in names:
        results = [run.benchmarks.get(name) for run in evaluations.values()]
        title = next(result.title for result in results if isinstance(result, Benchmark))
        cells = [
            _scored(result) if isinstance(result, Benchmark) and not whole(name, result) else Cell(None, reason="not run on part")
            for result in results
        ]
        lines.append(Line("partial", f"{title} (part of the items)", _mark_best(cells)))
        parts = dict.fromkeys(result.part for result in results if isinstance(result, Benchmark) and result.part)
        notes += [f"{title}: {part}." for part in parts]
    return Table(
        "partial",
        "Benchmarks run on part of their items",
        "Such a score says that the path works. It is not the benchmark's score and stays out of tables 2 and 3.",
        "Benchmark",
        tuple(_head(name, run) for name, run in evaluations.items()),
        tuple(lines),
        tuple(notes) if lines else ("No benchmark was run on part of its items.",),
    )


def size(parameters: int) -> str:
    """Number of weights, short: 870 k, 2.9 M, 72 B."""
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if parameters >= unit:
            return f"{parameters / unit:.3g} {name}"
    return str(parameters)


def _head(name: str, run: Evaluation) -> Head:
    return Head(CHECKPOINTS[name], OWN, f"{size(run.parameters)} weights")


def _published_cell(table: PublishedTable, benchmark: str, column: str) -> Cell:
    value = published().value(table.table, benchmark, column)
    if value is None:
        return Cell(None, reason="the report gives none")
    return Cell(float(value), str(value))


def _benchmark_cell(name: str, run: Evaluation) -> Cell:
    result = run.benchmarks.get(name)
    if result is None:
        return Cell(None, reason="not evaluated here")
    if isinstance(result, Missing):
        return Cell(None, reason=result.missing)
    if not whole(name, result):
        return Cell(None, reason=why_not_whole(name, result))
    return _scored(result)


def _suite_cell(suite: str, run: Evaluation) -> Cell:
    score = run.suites.get(suite)
    return Cell(None, reason="this checkpoint was not evaluated on it") if score is None else _scored(score)


def _scored(score: Score) -> Cell:
    low, high = (100 * bound for bound in score.ci95)
    detail = (f"[{low:.1f}, {high:.1f}]", f"{score.mean_tokens:.0f} tokens", f"n={score.n:,}, k={score.k}")
    return Cell(100 * score.accuracy, f"{100 * score.accuracy:.1f}", detail, score=score)


def _mark_best(cells: list[Cell]) -> tuple[Cell, ...]:
    """Mark the highest printed number, ties included; a row whose numbers are all the same has no best."""
    printed = {float(cell.text) for cell in cells if cell.value is not None}
    if len(printed) < 2:
        return tuple(cells)
    top = max(printed)
    return tuple(
        Cell(
            cell.value,
            cell.text,
            cell.detail,
            cell.reason,
            cell.value is not None and float(cell.text) == top,
            cell.score,
        )
        for cell in cells
    )
