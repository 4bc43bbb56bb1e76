"""Responses that exist already, as rows of a file, matched with the items of a benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stages.benchmarks.benchmark import Benchmark, Item
from stages.benchmarks.response_files import published_row, read_lines
from stages.benchmarks.response_rows import PROMPT_FIELDS, Kind, given_id, listed, row_id, sample_number, texts

__all__ = ["Given", "Kind", "Matched", "match"]


@dataclass(frozen=True)
class Given:
    """What the rows give for one item: k samples, each a text, a verdict reached elsewhere, or a fault of its row."""

    item: Item
    kinds: tuple[Kind, ...]
    """Of each sample: what its text is."""
    texts: tuple[str, ...]
    ids: tuple[Any, ...]
    """Of each sample: the id as its row gives it, value and type."""
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
    """Ids of rows whose id and prompt no item has; "row N" for a row without an id, "line N: reason" for a line that is no row."""
    by_prompt: int = 0
    """Rows that were matched by the text of their prompt, as no item has their id."""
    fault: str | None = None
    """The first row or line that cannot be used, where it is and why."""

    @property
    def usable(self) -> bool:
        """Whether any row gives something to judge."""
        return any(kind != "fault" for given in self.given.values() for kind in given.kinds)


def match(benchmark: Benchmark, items: Sequence[Item], path: Path) -> Matched:
    """The rows of `path` by item. Rows of one id with different numbers in `sample` (or `sample_idx`) are samples of one item.

    A row that holds nothing to judge is a sample of the kind "fault". A row whose id no item has is matched by the text of its
    prompt, where just one item has it. DataError when there is no such file."""
    matched, found = Matched(), dict[str, dict[int | None, Given]]()
    by_id, prompts = {item.id: item for item in items}, _prompts(items)
    for number, (line, row) in enumerate(read_lines(path), 1):
        if isinstance(row, str):
            matched.unmatched.append(f"line {line}: {row}")
            matched.fault = matched.fault or f"{path}:{line}: {row}; fix or drop the line"
            continue
        row = published_row(row)
        name = row_id(benchmark, row, by_id)
        if name is None or name not in by_id:
            asked = _asked(row, prompts)
            matched.by_prompt += asked is not None
            name = name if asked is None else asked
        if name is None or name not in by_id:
            matched.unmatched.append(name if name is not None else f"row {number}")
            continue
        item = by_id[name] if benchmark.completed is None else benchmark.completed(by_id[name], row)
        samples, sample = found.setdefault(name, {}), sample_number(row)
        if samples and (sample is None or sample in samples or None in samples):
            matched.duplicates.append(name)
            continue
        samples[sample] = given = _given(benchmark, item, row)
        if "fault" in given.kinds and matched.fault is None:
            matched.fault = f"{path}: row {number} (id {name[:80]!r}): {given.texts[given.kinds.index('fault')]}"
    for item in items:
        if item.id in found:
            matched.given[item.id] = _joined([given for _, given in sorted(found[item.id].items(), key=lambda pair: pair[0] or 0)])
        else:
            matched.missing.append(item.id)
    return matched


def _prompts(items: Sequence[Item]) -> dict[str, str | None]:
    """The id of the item that asks a question, white space aside; None where several ask it."""
    found: dict[str, str | None] = {}
    for item in items:
        text = " ".join(item.question.split())
        if text:
            found[text] = None if text in found else item.id
    return found


def _asked(row: Mapping[str, Any], prompts: Mapping[str, str | None]) -> str | None:
    """The id of the item whose question is the row's prompt, or what its prompt begins with up to the end of a line."""
    for name in PROMPT_FIELDS:
        text = row.get(name)
        if isinstance(text, str) and text.strip():
            cut = text.rstrip().rpartition("\n")[0]
            found = prompts.get(" ".join(text.split())) or prompts.get(" ".join(cut.split()))
            if found is not None:
                return found
    return None


def _joined(samples: Sequence[Given]) -> Given:
    return replace(
        samples[0],
        kinds=tuple(kind for given in samples for kind in given.kinds),
        texts=tuple(text for given in samples for text in given.texts),
        ids=tuple(name for given in samples for name in given.ids),
        tokens=tuple(count for given in samples for count in given.tokens),
        finishes=tuple(word for given in samples for word in given.finishes),
    )


def _given(benchmark: Benchmark, item: Item, row: Mapping[str, Any]) -> Given:
    found = texts(benchmark, item, row)
    tokens = [count if type(count) is int and count >= 0 else None for count in _beside(row, "tokens", len(found))]
    finishes = [word if isinstance(word, str) else None for word in _beside(row, "finish", len(found))]
    return Given(
        item,
        tuple(one.kind for one in found),
        tuple(one.text for one in found),
        (given_id(benchmark, row, item),) * len(found),
        tuple(tokens),
        tuple(finishes),
    )


def _beside(row: Mapping[str, Any], name: str, count: int) -> list[Any]:
    """What the row says in the field `name` of each of its `count` responses; None where it says nothing of the kind."""
    values = listed(row.get(name))
    return values if len(values) == count else [None] * count
