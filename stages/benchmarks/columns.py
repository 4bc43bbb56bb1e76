"""One column of tables 2 and 3: which benchmarks can be asked here, and their cells, each a score or its reason."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stages.benchmarks.answering import Answered, Drawn, judge
from stages.benchmarks.benchmark import Benchmark
from stages.benchmarks.decoding import Decoding
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scores import benchmark_score
from stages.benchmarks.suites import Suite, benchmark_suite
from stages.data.files import DataError

Cell = dict[str, Any]


def benchmark_suites(
    names: Sequence[str],
    root: Path,
    limit: int | None,
    decoding: Callable[[Benchmark], Decoding],
    workers: int,
    unscored: bool = False,
) -> tuple[list[Suite], dict[str, Cell]]:
    """The benchmarks of `names` whose data and tools are there, and a cell with the reason for every other one.

    With `unscored` also those whose tools are missing: their responses can be scored elsewhere."""
    suites, cells = [], {}
    for name, benchmark in BENCHMARKS.items():
        if name not in names:
            cells[name] = empty(benchmark, "not among the benchmarks of this run")
            continue
        reason = None if unscored else benchmark.unavailable()
        if reason is None:
            try:
                suites.append(benchmark_suite(benchmark, root, limit, decoding(benchmark), workers))
                continue
            except DataError as error:
                reason = str(error)
        cells[name] = not_scored(benchmark, reason)
    return suites, cells


def cell(suite: Suite, drawn: Sequence[Drawn]) -> tuple[Cell, list[Answered]]:
    """The cell of a benchmark and its judged responses; a reason where the tools are missing or responses failed."""
    benchmark = BENCHMARKS[suite.name]
    failures = [(one.asked.id, reason) for one in drawn for reason in one.failures]
    missing = benchmark.unavailable()
    if failures:
        name, reason = failures[0]
        missing = f"{len(failures)} of {len(drawn) * suite.samples} responses failed, the first of {name!r}: {reason}"
    if missing is not None:
        return not_scored(benchmark, missing), []
    try:
        answered = judge(suite, drawn)
        score = benchmark_score(benchmark, suite, answered)
    except DataError as error:
        return not_scored(benchmark, str(error)), []
    return {**score, "decoding": asdict(suite.decoding)}, answered


def not_scored(benchmark: Benchmark, reason: str) -> Cell:
    """A cell without a score, its reason told to the user too."""
    told = reason if reason.startswith(benchmark.title) else f"{benchmark.title}: {reason}"
    print(f"not scored: {told}", file=sys.stderr)
    return empty(benchmark, reason)


def empty(benchmark: Benchmark, reason: str) -> Cell:
    """A cell without a score."""
    return {"missing": reason, "title": benchmark.title, "metric": benchmark.metric}
