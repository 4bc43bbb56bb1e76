"""Scoring of responses that exist already: verdicts, the headline score with its interval, and what did not match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.benchmarks.averages import Judged, percent
from stages.benchmarks.benchmark import Benchmark, Item
from stages.benchmarks.responses import Given, Kind, Matched, match
from stages.benchmarks.statistics import accuracy, pass_at
from stages.data.files import DataError
from stages.verifiers.verdict import Outcome, Verdict

NAMED = 20
"""Ids that are listed by name in the result; more are counted."""
SECONDS = 10.0
"""Wall-clock limit of one comparison."""


@dataclass(frozen=True)
class Scored:
    """A file of responses, scored."""

    result: dict[str, Any]
    """The result as JSON values."""
    verdicts: list[dict[str, Any]]
    """One row a response."""


def score_file(benchmark: Benchmark, data: Path, responses: Path, workers: int, seconds: float = SECONDS) -> Scored:
    """Score the responses of a file. Items without a response count as wrong, as the official scorers count them.

    DataError when the data or the file cannot be used, when a tool is missing, or when no row matches an item."""
    reason = benchmark.unavailable()
    if reason is not None:
        raise DataError(f"{benchmark.title}: {reason}")
    loaded = benchmark.read_answers(data)
    matched = match(benchmark, loaded.items, responses)
    if not matched.given:
        named = f"its rows have ids such as {_few(matched.unmatched)}" if matched.unmatched else "it has no rows"
        like = ", ".join(repr(item.id) for item in loaded.items[:2])
        raise DataError(f"{responses}: no row belongs to {benchmark.title}; {named}, the data has {like}")
    verdicts = _verdicts(benchmark, list(matched.given.values()), workers, seconds)
    judged = [_judged(item, matched, verdicts) for item in loaded.items]
    given = [one for one in judged if one.item.id in matched.given]
    rows = [row for one in given for row in _rows(one)]
    return Scored(_result(benchmark, judged, given, matched, loaded.part), rows)


def _verdicts(benchmark: Benchmark, given: Sequence[Given], workers: int, seconds: float) -> dict[str, tuple[Verdict, ...]]:
    """Verdicts of each item by id."""
    found: dict[str, list[Verdict]] = {one.item.id: [] for one in given}
    for kind in ("response", "extraction", "verdicts"):
        pairs = [(one.item, text) for one in given if one.kind == kind for text in one.texts]
        for (item, _), verdict in zip(pairs, _of_kind(benchmark, kind, pairs, workers, seconds), strict=True):
            found[item.id].append(verdict)
    return {name: tuple(verdicts) for name, verdicts in found.items()}


def _of_kind(
    benchmark: Benchmark, kind: Kind, pairs: Sequence[tuple[Item, str]], workers: int, seconds: float
) -> Sequence[Verdict]:
    if not pairs:
        return []
    if kind == "verdicts":
        outcomes: dict[str, Outcome] = {"right": "right", "wrong": "wrong", "error": "error"}
        return [Verdict(outcomes[text], None, "as given") for _, text in pairs]
    if kind == "extraction" and benchmark.score_extraction is not None:
        return benchmark.score_extraction(pairs, workers, seconds)
    return benchmark.judge(pairs, workers, seconds)


def _judged(item: Item, matched: Matched, verdicts: Mapping[str, tuple[Verdict, ...]]) -> Judged:
    if item.id not in matched.given:
        return Judged(item, (Verdict("wrong", None, "no response"),))
    return Judged(matched.given[item.id].item, verdicts[item.id])


def _rows(one: Judged) -> list[dict[str, Any]]:
    rows = []
    for number, verdict in enumerate(one.verdicts):
        row = {
            "id": one.item.id,
            "sample": number,
            "correct": verdict.outcome == "right",
            "outcome": verdict.outcome,
            "extracted": verdict.extracted,
            "reason": verdict.reason,
        }
        rows.append(row | ({"details": dict(verdict.details)} if verdict.details else {}))
    return rows


def _result(
    benchmark: Benchmark, judged: Sequence[Judged], given: Sequence[Judged], matched: Matched, part: str | None
) -> dict[str, Any]:
    average = benchmark.average(judged)
    counts = [len(one.verdicts) for one in given]
    verdicts = [verdict for one in given for verdict in one.verdicts]
    estimate = average.score
    result = {
        "benchmark": benchmark.name,
        "metric": benchmark.metric,
        "score": percent(estimate.mean),
        "n": len(judged),
        "k": max(counts),
        "stderr": None if estimate.stderr is None else percent(estimate.stderr),
        "ci95": [percent(estimate.low), percent(estimate.high)],
        "errors": sum(verdict.outcome == "error" for verdict in verdicts),
        "unparsed": sum(verdict.extracted is None for verdict in verdicts),
        "responses": len(verdicts),
        **_counted("missing", matched.missing),
        **_counted("duplicates", matched.duplicates),
        **_counted("unmatched", matched.unmatched),
    }
    if matched.missing:
        result["score_of_given"] = percent(accuracy([one.rights for one in given]).mean)
    if min(counts) > 1:
        result["pass_at"] = {str(k): percent(pass_at([one.rights for one in given], k)) for k in _powers(min(counts))}
    if min(counts) != max(counts):
        result["k_least"] = min(counts)
    return {**result, **average.figures, "rule": benchmark.rule, "part": part}


def _counted(name: str, ids: Sequence[str]) -> dict[str, Any]:
    return {name: len(ids)} | ({f"{name}_ids": [one[:80] for one in ids[:NAMED]]} if ids else {})


def _powers(k: int) -> list[int]:
    """1, 2, 4 ... below k, and k."""
    return sorted({k} | {2**power for power in range(k.bit_length()) if 2**power < k})


def _few(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:80]) for name in names[:2])
