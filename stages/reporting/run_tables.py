"""Tables of what has no place in tables 2 and 3: the stand-in suites, and benchmarks run on part of their items."""

from collections.abc import Iterator, Mapping, Sequence

from stages.reporting.columns import OWN, Column
from stages.reporting.evaluations import CHECKPOINTS, POOLED, Benchmark, Evaluation
from stages.reporting.handed_on import Handed, told
from stages.reporting.limits import whole_anywhere
from stages.reporting.tables import SCORE_FACTS, Cell, Line, Table, head, mark_best, scored


def stand_in_table(evaluations: Mapping[str, Evaluation], handed: Handed) -> Table:
    """Every checkpoint on the held-out stand-in suites, pooled ones first; those that are another one are notes."""
    lines = []
    for suite in suites_of(evaluations, asked=False):
        scores = [run.suites.get(suite) for run in evaluations.values()]
        reasons = [run.not_asked.get(suite, "this checkpoint was not evaluated on it") for run in evaluations.values()]
        cells = [Cell(None, reason=why) if one is None else scored(one) for one, why in zip(scores, reasons, strict=True)]
        real = any(one is not None and not one.stand_in for one in scores)
        lines.append(Line("pooled" if suite in POOLED else "families", suite if real else f"{suite} (stand-in)", mark_best(cells)))
    return Table(
        "stand_in",
        "Stand-in suites",
        "Held-out problems of the run's own sources. They stand in for benchmarks and are none: no number here can be "
        "compared with a published one. Accuracy in percent with its 95% interval, mean response tokens, n problems, "
        "k responses to each. Bold: the best of the row.",
        "Suite",
        tuple(head(CHECKPOINTS[name], OWN, run.parameters) for name, run in evaluations.items()),
        tuple(lines),
        SCORE_FACTS,
        (*(f"{line}." for line in told(handed)), *_parts(evaluations)),
    )


def suites_of(evaluations: Mapping[str, Evaluation], asked: bool = True) -> list[str]:
    """All stand-in suites that have a score, pooled ones first, then by name; not only `asked`: those without one, too."""
    suites = {suite for run in evaluations.values() for suite in (run.suites if asked else {**run.suites, **run.not_asked})}
    return sorted(suites, key=lambda suite: (POOLED.index(suite) if suite in POOLED else len(POOLED), suite))


def partial_table(columns: Sequence[Column]) -> Table:
    """Benchmarks that were run on part of their items; a table without rows when there are none."""
    parts = [{name: result for name, result in column.benchmarks.items() if _partial(name, result)} for column in columns]
    lines, notes = [], list[str]()
    for name in sorted({name for part in parts for name in part}):
        found = [part.get(name) for part in parts]
        results = [result for result in found if isinstance(result, Benchmark)]
        cells = [scored(result) if isinstance(result, Benchmark) else Cell(None, reason="not run on part") for result in found]
        lines.append(Line("partial", f"{results[0].title} (part of the items)", mark_best(cells)))
        notes += [f"{results[0].title}: {part}." for part in dict.fromkeys(result.part for result in results if result.part)]
    return Table(
        "partial",
        "Benchmarks run on part of their items",
        "Such a score says that the path works. It is not the benchmark's score and stays out of tables 2 and 3.",
        "Benchmark",
        tuple(head(column.name, column.group, column.parameters) for column in columns),
        tuple(lines),
        SCORE_FACTS,
        tuple(notes) if lines else ("No benchmark was run on part of its items.",),
    )


def _parts(evaluations: Mapping[str, Evaluation]) -> Iterator[str]:
    """A sentence for each suite of which only a part was asked."""
    for why, suite in {
        (why, suite): None for run in evaluations.values() for suite, why in run.not_asked.items() if suite in run.suites
    }:
        yield f"{suite}: {why}."


def _partial(name: str, result: object) -> bool:
    return isinstance(result, Benchmark) and not whole_anywhere(name, result)
