"""Scoring of responses that exist already: verdicts, the headline score with its interval, and what did not match."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from stages.benchmarks.averages import Judged, percent
from stages.benchmarks.benchmark import Benchmark, Item, Loaded
from stages.benchmarks.protocol import data_read, scorer
from stages.benchmarks.responses import Given, Kind, Matched, match
from stages.benchmarks.scope import Scope, scope_of
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

    DataError when the data or the file cannot be used, when a tool is missing, or when no row can be judged."""
    reason = benchmark.unavailable() if benchmark.group_unavailable is None else None
    if reason is not None:
        raise DataError(f"{benchmark.title}: {reason}")
    loaded = benchmark.read_answers(data)
    matched = (benchmark.match_rows or match)(benchmark, loaded.items, responses)
    _require_usable(benchmark, loaded, matched, responses)
    scope = scope_of(benchmark, loaded, matched)
    verdicts = _verdicts(benchmark, list(scope.matched.given.values()), workers, seconds)
    judged = [_judged(item, scope.matched, verdicts) for item in scope.loaded.items]
    given = [one for one in judged if one.item.id in scope.matched.given]
    rows = [row for one in given for row in _rows(one, scope.matched.given[one.item.id])]
    return Scored(_result(benchmark, judged, given, scope), rows)


def _require_usable(benchmark: Benchmark, loaded: Loaded, matched: Matched, responses: Path) -> None:
    if matched.usable:
        return
    if matched.fault is not None:
        raise DataError(matched.fault)
    named = f"its rows have ids such as {_few(matched.unmatched)}" if matched.unmatched else "it has no rows"
    like = ", ".join(repr(item.id) for item in loaded.items[:2])
    raise DataError(f"{responses}: no row belongs to {benchmark.title}; {named}, the data has {like}")


def _verdicts(benchmark: Benchmark, given: Sequence[Given], workers: int, seconds: float) -> dict[str, tuple[Verdict, ...]]:
    """Verdicts of each item by id, in the order of its samples."""
    samples = [(one.item, kind, text) for one in given for kind, text in zip(one.kinds, one.texts, strict=True)]
    found: dict[int, Verdict] = {}
    for kind in get_args(Kind):
        places = [place for place, sample in enumerate(samples) if sample[1] == kind]
        pairs = [(samples[place][0], samples[place][2]) for place in places]
        found |= zip(places, _of_kind(benchmark, kind, pairs, workers, seconds), strict=True)
    verdicts = iter([found[place] for place in range(len(samples))])
    return {one.item.id: tuple(next(verdicts) for _ in one.texts) for one in given}


def _of_kind(
    benchmark: Benchmark, kind: Kind, pairs: Sequence[tuple[Item, str]], workers: int, seconds: float
) -> Sequence[Verdict]:
    if not pairs:
        return []
    if kind == "fault":
        return [Verdict("error", None, text) for _, text in pairs]
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


def _rows(one: Judged, given: Given) -> list[dict[str, Any]]:
    """A row a response; `item` is the item's id where the id that was given is another value."""
    rows = []
    for number, (verdict, name) in enumerate(zip(one.verdicts, given.ids, strict=True)):
        row = {
            "id": name,
            **({} if name == one.item.id else {"item": one.item.id}),
            "sample": number,
            "correct": verdict.outcome == "right",
            "outcome": verdict.outcome,
            "extracted": verdict.extracted,
            "reason": verdict.reason,
        }
        rows.append(row | ({"details": dict(verdict.details)} if verdict.details else {}))
    return rows


def _result(benchmark: Benchmark, judged: Sequence[Judged], given: Sequence[Judged], scope: Scope) -> dict[str, Any]:
    matched, loaded = scope.matched, scope.loaded
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
        **_fallbacks(verdicts),
        **_lengths(matched),
        "matched_by_prompt": matched.by_prompt,
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
    return {
        **result,
        **average.figures,
        **scope.told,
        "rule": benchmark.rule,
        "scorer": scorer(),
        "data": _data(benchmark, loaded),
        "part": loaded.part,
    }


def _data(benchmark: Benchmark, loaded: Loaded) -> dict[str, Any]:
    """How many files were read, their common digest, and whether they are those that were checked."""
    read = data_read(benchmark, loaded.files)
    return {"files": len(read["files"]), "sha256": read["sha256"], "as_checked": read["as_checked"]}


def _fallbacks(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """How many responses were read by a fallback of ours, and by which; nothing where none was."""
    counts = Counter(str(verdict.details["fallback"]) for verdict in verdicts if "fallback" in verdict.details)
    return {"fallback": counts.total(), "fallbacks": dict(sorted(counts.items()))} if counts else {}


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
