"""Scoring of responses that exist already: verdicts, the headline score with its interval, and what did not match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.benchmarks.averages import Judged, percent
from stages.benchmarks.benchmark import Benchmark, Item, Loaded
from stages.benchmarks.protocol import data_read, scorer
from stages.benchmarks.responses import Given, Kind, Matched, match
from stages.benchmarks.statistics import accuracy, pass_at_powers
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
    matched = (benchmark.match_rows or match)(benchmark, loaded.items, responses)
    if not matched.given:
        named = f"its rows have ids such as {_few(matched.unmatched)}" if matched.unmatched else "it has no rows"
        like = ", ".join(repr(item.id) for item in loaded.items[:2])
        raise DataError(f"{responses}: no row belongs to {benchmark.title}; {named}, the data has {like}")
    verdicts = _verdicts(benchmark, list(matched.given.values()), workers, seconds)
    judged = [_judged(item, matched, verdicts) for item in loaded.items]
    given = [one for one in judged if one.item.id in matched.given]
    rows = [row for one in given for row in _rows(one)]
    return Scored(_result(benchmark, judged, given, matched, loaded), rows)


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
    benchmark: Benchmark, judged: Sequence[Judged], given: Sequence[Judged], matched: Matched, loaded: Loaded
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
        "unparsed_share": percent(sum(verdict.extracted is None for verdict in verdicts) / len(verdicts)),
        "responses": len(verdicts),
        **_lengths(matched),
        **_counted("missing", matched.missing),
        **_counted("duplicates", matched.duplicates),
        **_counted("unmatched", matched.unmatched),
    }
    if matched.missing:
        result["score_of_given"] = percent(accuracy([one.rights for one in given]).mean)
    if min(counts) > 1:
        result["pass_at"] = {k: percent(share) for k, share in pass_at_powers([one.rights for one in given]).items()}
    if min(counts) != max(counts):
        result["k_least"] = min(counts)
    read = data_read(benchmark, loaded.files)
    data = {"files": len(read["files"]), "sha256": read["sha256"]}
    return {**result, **average.figures, "rule": benchmark.rule, "scorer": scorer(), "data": data, "part": loaded.part}


def _lengths(matched: Matched) -> dict[str, Any]:
    """Responses cut at the limit and lengths in tokens; None where not every row gives `finish` or `tokens`."""
    tokens = [count for given in matched.given.values() for count in given.tokens]
    finishes = [word for given in matched.given.values() for word in given.finishes]
    known = [count for count in tokens if count is not None]
    cut = sum(word == "length" for word in finishes)
    return {
        "truncated": None if None in finishes else cut,
        "truncated_share": None if None in finishes else percent(cut / len(finishes)),
        "mean_tokens": round(float(np.mean(known)), 2) if len(known) == len(tokens) else None,
        "p95_tokens": round(float(np.quantile(known, 0.95)), 2) if len(known) == len(tokens) else None,
    }


def _counted(name: str, ids: Sequence[str]) -> dict[str, Any]:
    return {name: len(ids)} | ({f"{name}_ids": [one[:80] for one in ids[:NAMED]]} if ids else {})


def _few(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:80]) for name in names[:2])
