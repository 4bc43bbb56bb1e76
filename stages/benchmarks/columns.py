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
from stages.benchmarks.suites import Suite, benchmark_suite, with_inputs
from stages.data.files import DataError
from stages.models.text_only import TEXT_ONLY
from stages.run.ranks import rank

Cell = dict[str, Any]

SHORT_COT = ("short_sft", "merged", "merged_rs", "shortest", "dpo", "short_rl")
LONG_COT = ("long_sft", "long_rl")
"""Checkpoints of the recipe whose column stands in table 3, and in table 2."""


def benchmark_suites(
    names: Sequence[str],
    root: Path,
    limit: int | None,
    decoding: Callable[[Benchmark], Decoding],
    choose: Callable[[Benchmark], Benchmark],
    workers: int,
    unscored: bool = False,
    pictures: bool = True,
) -> tuple[list[Suite], dict[str, Cell]]:
    """The benchmarks of `names` whose data and tools are there, and a cell with the reason for every other one.

    `choose` takes the rules of the column's table (`Benchmark.for_table`). With `unscored` also those whose tools are missing:
    their responses can be scored elsewhere. Without `pictures` the model reads none, and is asked about none."""
    suites, cells = [], {}
    for name, default in BENCHMARKS.items():
        benchmark = choose(default)
        if name not in names:
            cells[name] = empty(benchmark, "not among the benchmarks of this run")
            continue
        unread = TEXT_ONLY if benchmark.modality == "image" and not pictures else None
        reason = unread or (None if unscored else benchmark.unavailable())
        if reason is None:
            try:
                suites.append(benchmark_suite(benchmark, root, limit, decoding(benchmark), workers))
                continue
            except DataError as error:
                reason = str(error)
        cells[name] = not_scored(benchmark, reason)
    return suites, cells


def table_of(checkpoint: str) -> int | None:
    """The table that a checkpoint of the recipe has a column of: 2 (long-CoT), 3 (short-CoT), or none."""
    return 2 if checkpoint in LONG_COT else 3 if checkpoint in SHORT_COT else None


def cell(suite: Suite, drawn: Sequence[Drawn], inputs: Sequence[Drawn] = ()) -> tuple[Cell, list[Answered]]:
    """The cell of a benchmark and its judged responses; a reason where the tools are missing or responses failed.

    `inputs`: what came of stages.benchmarks.suites.inputs_suite."""
    benchmark = suite.benchmark or BENCHMARKS[suite.name]
    failures = [(one.asked.id, reason) for one in (*drawn, *inputs) for reason in one.failures]
    missing = benchmark.unavailable()
    if failures:
        name, reason = failures[0]
        count = len(drawn) * suite.samples + len(inputs)
        missing = f"{len(failures)} of {count} responses failed, the first of {name!r}: {reason}"
    if missing is not None:
        return not_scored(benchmark, missing), []
    if inputs:
        suite = with_inputs(suite, {one.asked.id: response.text for one in inputs for response in one.responses})
    try:
        answered = judge(suite, drawn)
        score = benchmark_score(benchmark, suite, answered)
    except DataError as error:
        return not_scored(benchmark, str(error)), []
    return {**score, "decoding": asdict(suite.decoding)}, answered


def not_scored(benchmark: Benchmark, reason: str) -> Cell:
    """A cell without a score, its reason told to the user too."""
    told = reason if reason.startswith(benchmark.title) else f"{benchmark.title}: {reason}"
    if rank() == 0:
        print(f"not scored: {told}", file=sys.stderr)
    return empty(benchmark, reason)


def empty(benchmark: Benchmark, reason: str) -> Cell:
    """A cell without a score."""
    return {"missing": reason, "title": benchmark.title, "metric": benchmark.metric}
