"""Responses that exist already, as rows of JSONL, matched with the items of a benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from stages.benchmarks.benchmark import Benchmark, Item
from stages.data.files import DataError, read_rows

Kind = Literal["response", "extraction", "verdicts"]


@dataclass(frozen=True)
class Given:
    """What a row gives for one item: k texts, or k verdicts reached elsewhere."""

    item: Item
    kind: Kind
    texts: tuple[str, ...]
    tokens: tuple[int | None, ...] = ()
    """Length of each response, where the row's `tokens` says so; as many as texts."""
    finishes: tuple[str | None, ...] = ()
    """Why each response ended, where the row's `finish` says so: "length" is one cut at the limit."""


@dataclass
class Matched:
    """The rows of a file beside the items of a benchmark."""

    given: dict[str, Given] = field(default_factory=dict)
    """By id, in the order of the items."""
    missing: list[str] = field(default_factory=list)
    """Items without a row."""
    duplicates: list[str] = field(default_factory=list)
    """Ids of rows after the first of the same id (and sample): they are not scored."""
    unmatched: list[str] = field(default_factory=list)
    """Ids of rows that no item has; "row N" for a row without an id."""


def match(benchmark: Benchmark, items: Sequence[Item], path: Path) -> Matched:
    """The rows of `path` by item. Rows of one id with different numbers in `sample` are samples of one item.

    DataError names the row that holds no response, or one that is neither text, null nor a list of them."""
    matched, found = Matched(), dict[str, dict[int | None, Given]]()
    by_id = {item.id: item for item in items}
    for number, row in enumerate(read_rows(path), 1):
        name = benchmark.row_id(row)
        if name is None or name not in by_id:
            matched.unmatched.append(name if name is not None else f"row {number}")
            continue
        item = by_id[name] if benchmark.completed is None else benchmark.completed(by_id[name], row)
        given, sample = _given(benchmark, item, row, f"{path}: row {number} (id {name[:80]!r})"), row.get("sample")
        samples = found.setdefault(name, {})
        if samples and (not isinstance(sample, int) or sample in samples or None in samples):
            matched.duplicates.append(name)
            continue
        samples[sample if isinstance(sample, int) else None] = given
    for item in items:
        if item.id in found:
            matched.given[item.id] = _joined([given for _, given in sorted(found[item.id].items(), key=lambda pair: pair[0] or 0)])
        else:
            matched.missing.append(item.id)
    return matched


def _joined(samples: Sequence[Given]) -> Given:
    first = samples[0]
    return replace(
        first,
        texts=tuple(text for given in samples for text in given.texts),
        tokens=tuple(count for given in samples for count in given.tokens),
        finishes=tuple(word for given in samples for word in given.finishes),
    )


def _given(benchmark: Benchmark, item: Item, row: Mapping[str, Any], where: str) -> Given:
    given = _judgeable(benchmark, item, row, where)
    tokens = [count if type(count) is int and count >= 0 else None for count in _beside(row, "tokens", len(given.texts))]
    finishes = [word if isinstance(word, str) else None for word in _beside(row, "finish", len(given.texts))]
    return replace(given, tokens=tuple(tokens), finishes=tuple(finishes))


def _beside(row: Mapping[str, Any], name: str, count: int) -> list[Any]:
    """What the row says in the field `name` of each of its `count` responses; None where it says nothing of the kind."""
    values = _listed(row.get(name))
    return values if len(values) == count else [None] * count


def _judgeable(benchmark: Benchmark, item: Item, row: Mapping[str, Any], where: str) -> Given:
    if benchmark.takes_verdicts and row.get("verdicts") is not None:
        return Given(item, "verdicts", tuple(_verdict(value, where) for value in _listed(row["verdicts"])))
    if benchmark.score_extraction is not None and row.get("extraction") is not None:
        return Given(item, "extraction", tuple(value if isinstance(value, str) else str(value) for value in [row["extraction"]]))
    if "response" not in row:
        fields = ["response", *["extraction"] * bool(benchmark.score_extraction), *["verdicts"] * benchmark.takes_verdicts]
        raise DataError(f"{where} has none of {', '.join(fields)}; its fields are {_few(row)}")
    values = _listed(row["response"])
    wrong = next((value for value in values if value is not None and not isinstance(value, str)), None)
    if wrong is not None or not values:
        found = "an empty list" if not values else type(wrong).__name__
        raise DataError(f"{where}: response is {found}; expected text, null, or a list of them, one a sample")
    return Given(item, "response", tuple(value or "" for value in values))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _verdict(value: Any, where: str) -> str:
    names = {True: "right", False: "wrong", "right": "right", "wrong": "wrong", "error": "error"}
    if not isinstance(value, bool | str) or value not in names:
        raise DataError(f"{where}: the verdict {str(value)[:80]!r} is none of true, false, right, wrong, error")
    return names[value]


def _few(row: Mapping[str, Any]) -> str:
    return ", ".join(name[:40] for name in list(row)[:12])
