"""Two checkpoints on the same problems, response by response: which differences are more than chance."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from stages.reporting.evaluations import CHECKPOINTS, LONG2SHORT, POOLED, Benchmark, Evaluation
from stages.reporting.handed_on import Handed, origin, why_absent
from stages.reporting.inputs import Generation
from stages.reporting.run_tables import suites_of
from stages.reporting.tables import Cell, Head, Line, Table

PAIRS = (("long_sft", "long_rl"), *(("long_rl", name) for name in LONG2SHORT))
"""(before, after): what RL adds to SFT, what each method of §2.4 costs."""

FACTS = ("ci95_low", "ci95_high", "stderr", "n", "gained", "lost", "answered_by_one")
"""Interval and error in points, problems on which the second is better and worse, problems left out."""

Rights = Mapping[str, Sequence[bool]]
"""By problem: whether each of its k responses is right."""


class Estimate(Protocol):
    """A difference of accuracies with its 95% interval, -1 to 1."""

    @property
    def mean(self) -> float: ...

    @property
    def stderr(self) -> float | None: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


Difference = Callable[[Sequence[Sequence[bool]], Sequence[Sequence[bool]]], Estimate]
"""The paired difference, second minus first, of the same problems in the same order."""


def paired_table(
    generations: Mapping[str, Sequence[Generation]],
    evaluations: Mapping[str, Evaluation],
    difference: Difference,
    handed: Handed,
) -> Table:
    """Every pair of PAIRS on every suite and benchmark that both answered; a pair of which one was not evaluated, or which are one
    checkpoint, is left out."""
    compared = [pair for pair in PAIRS if why_absent(pair, evaluations, handed) is None]
    pairs = [(origin(first, handed), origin(second, handed)) for first, second in compared]
    rights = {name: _rights(rows, evaluations[name]) for name, rows in generations.items()}
    suites = suites_of(evaluations)
    benchmarks = sorted({suite for found in rights.values() for suite in found} - set(suites))
    lines = []
    for suite in [*suites, *benchmarks]:
        cells = [_cell(rights[first].get(suite, {}), rights[second].get(suite, {}), difference) for first, second in pairs]
        block = "pooled" if suite in POOLED else "families" if suite in suites else "benchmarks"
        lines.append(Line(block, _label(suite, evaluations), tuple(cells)))
    return Table(
        "paired",
        "Paired comparisons",
        "Second minus first on the same problems, in points, with the 95% interval of the difference (over problems, the k "
        "responses to each averaged first), n problems, and on how many of them the second is better and worse. Every problem "
        "counts the same, also where a benchmark's headline is a mean over subjects. Bold: zero lies outside the interval.",
        "Suite",
        tuple(Head(f"{CHECKPOINTS[second]} minus {CHECKPOINTS[first]}", "paired differences") for first, second in pairs),
        tuple(lines),
        FACTS,
    )


def _rights(rows: Sequence[Generation], run: Evaluation) -> dict[str, dict[str, list[bool]]]:
    """By suite and problem, the pooled suites too."""
    found: dict[str, dict[str, list[bool]]] = {}
    for row in rows:
        pools = [] if row.suite in run.benchmarks else ["overall", "text" if row.image is None else "image"]
        for suite in [row.suite, *pools]:
            name = row.id if suite == row.suite else f"{row.suite}/{row.id}"
            found.setdefault(suite, {}).setdefault(name, []).append(row.outcome == "right")
    return found


def _cell(first: Rights, second: Rights, difference: Difference) -> Cell:
    common = [name for name in first if name in second]
    if not common:
        return Cell(None, reason="not answered by both")
    one, other = [first[name] for name in common], [second[name] for name in common]
    found = difference(one, other)
    changes = [sum(b) / len(b) - sum(a) / len(a) for a, b in zip(one, other, strict=True)]
    gained, lost = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    low, high = 100 * found.low, 100 * found.high
    alone = len(first) + len(second) - 2 * len(common)
    detail = [f"[{low:+.1f}, {high:+.1f}]", f"n={len(common):,}", f"better {gained}, worse {lost}"]
    error = "" if found.stderr is None else f"{100 * found.stderr:.2f}"
    values = (f"{low:.2f}", f"{high:.2f}", error, str(len(common)), str(gained), str(lost), str(alone))
    extra = [f"{alone} answered by one only"] if alone else []
    return Cell(
        100 * found.mean,
        f"{100 * found.mean:+.1f}",
        (*detail, *extra),
        best=low > 0 or high < 0,
        facts=dict(zip(FACTS, values, strict=True)),
    )


def _label(suite: str, evaluations: Mapping[str, Evaluation]) -> str:
    for run in evaluations.values():
        result = run.benchmarks.get(suite)
        if isinstance(result, Benchmark):
            return f"{result.title} (part of the items)" if result.limited else result.title
    return f"{suite} (stand-in)"
