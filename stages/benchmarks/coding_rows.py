"""Rows of responses as the authors of code benchmarks publish them: verdicts beside programs (`graded_list`), or a bare rating."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.benchmarks.benchmark import Benchmark, Item
from stages.benchmarks.coding_codeforces import RATING
from stages.benchmarks.response_files import read_lines
from stages.benchmarks.response_rows import Kind, given_id
from stages.benchmarks.responses import Given, Matched, match
from stages.data.files import DataError

_OUTCOMES = {True: "right", False: "wrong", "right": "right", "wrong": "wrong", "error": "error"}
_VERDICTS, _RESPONSES = ("verdicts", "graded_list"), ("response", "output_list")


def match_graded(benchmark: Benchmark, items: Sequence[Item], path: Path) -> Matched:
    """Rows with verdicts (`verdicts`, or LiveCodeBench's `graded_list`) by item, their responses kept for the extraction.

    A file without such rows is matched as any other. DataError names the row whose verdicts cannot be read."""
    rows = _rows(path)
    if not any("graded_list" in row or (_first(row, _VERDICTS) and _first(row, _RESPONSES)) for row in rows):
        return match(benchmark, items, path)
    by_id, matched, found = {item.id: item for item in items}, Matched(), dict[str, Given]()
    for number, row in enumerate(rows, 1):
        name = benchmark.row_id(row)
        if name is None or name not in by_id:
            matched.unmatched.append(name if name is not None else f"row {number}")
        elif name in found:
            matched.duplicates.append(name)
        else:
            found[name] = _graded(
                by_id[name], row, given_id(benchmark, row, by_id[name]), f"{path}: row {number} (id {name[:80]!r})"
            )
    matched.given.update((item.id, found[item.id]) for item in items if item.id in found)
    matched.missing.extend(item.id for item in items if item.id not in found)
    return matched


def match_rating(benchmark: Benchmark, items: Sequence[Item], path: Path) -> Matched:
    """The one rating of a file, in `rating` or `response` of a row of any id; beside contests the rows of their problems.

    DataError for several ratings: each is one model's, and a file is scored as one model."""
    if [item.id for item in items] != [RATING]:
        return match_graded(benchmark, items, path)
    rows = _rows(path)
    ratings = [(row.get("id"), value) for row in rows for value in _listed(row.get("rating", row.get("response")))]
    if len(ratings) > 1:
        named = ", ".join(f"{value} of {name!r}" if name is not None else str(value) for name, value in ratings[:3])
        raise DataError(
            f"{path}: {len(ratings)} ratings ({named[:200]}); a file holds one model's rating, so put each in a file of its own, "
            "or put contests.jsonl beside the data to score verdicts"
        )
    if not ratings or ratings[0][1] is None or isinstance(ratings[0][1], bool | dict):
        expected = 'one row such as {"rating": 1578}, or contests.jsonl beside the data for verdicts'
        raise DataError(f"{path}: no rating in {len(rows)} rows; expected {expected}")
    return Matched(given={RATING: Given(items[0], ("response",), (str(ratings[0][1]),), (ratings[0][0],), (None,), (None,))})


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file. DataError names the first line that is none."""
    found = []
    for number, row in read_lines(path):
        if isinstance(row, str):
            raise DataError(f"{path}:{number}: {row}; fix or drop the line")
        found.append(row)
    return found


def _graded(item: Item, row: Mapping[str, Any], name: Any, where: str) -> Given:
    verdicts = tuple(_outcome(value, where) for value in _first(row, _VERDICTS))
    responses = tuple(value if isinstance(value, str) else "" for value in _first(row, _RESPONSES))
    names, nothing = (name,) * len(verdicts), (None,) * len(verdicts)
    if not verdicts:
        raise DataError(f"{where} has none of {', '.join(_VERDICTS)}, unlike other rows of the file; score such rows by themselves")
    if not responses:
        kinds: tuple[Kind, ...] = tuple("verdicts" for _ in verdicts)
        return Given(item, kinds, verdicts, names, nothing, nothing)
    if len(responses) != len(verdicts):
        raise DataError(f"{where}: {len(verdicts)} verdicts of {len(responses)} responses; expected one a response")
    kinds = tuple("response" for _ in verdicts)
    return Given(replace(item, data={**item.data, "graded": verdicts}), kinds, responses, names, nothing, nothing)


def _first(row: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    return _listed(next((row[name] for name in names if row.get(name) is not None), []))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _outcome(value: Any, where: str) -> str:
    if not isinstance(value, bool | str) or value not in _OUTCOMES:
        raise DataError(f"{where}: the verdict {str(value)[:80]!r} is none of true, false, right, wrong, error")
    return _OUTCOMES[value]
