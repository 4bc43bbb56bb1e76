"""The questions of the benchmarks whose folders lie under evaluate.root: what their loaders ask, and what else their files hold.

A loader reads what is scored. Other splits, versions and dates beside that are read by the names of their fields."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError

_FIELDS = (
    *("problem", "question", "prompt", "question_content", "text", "statement", "query", "content", "description"),
    *("instruction", "input", "title"),
)
_FIELD = re.compile(rf"(?:{'|'.join(_FIELDS)})(?:[_-][a-z]{{2}})?", re.IGNORECASE)
"""Names of fields that hold questions, in any case, with or without a language ("problem_zh")."""
LONG = 8
"""Words from which on a text of a row without such a field counts as its question; a text without spaces: LONG_CHARACTERS."""
LONG_CHARACTERS = 24
UNREAD_NAMED = 20
SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".csv", ".tsv", ".parquet")
BATCH = 512
"""Rows of a Parquet file in memory at a time."""

Text = tuple[str, str]
"""(benchmark/item or benchmark/file:row, question)."""


def present(root: Path) -> list[str]:
    """The benchmarks that have a folder under `root`."""
    return [name for name in BENCHMARKS if (root / name).is_dir()]


def read_texts(root: Path) -> tuple[list[Text], list[str]]:
    """The question of every item of every benchmark present, and what could not be read, with the reason. What the
    benchmark's loader reads comes first and in its words; a damaged row or a file that is no data (a note, a list of
    ratings) stops nothing, but is never left unsaid.

    Raises DataError for a folder without a single question: nothing could be kept out of training that is scored there."""
    found: list[Text] = []
    unread: list[str] = []
    for name in present(root):
        texts, why = _of_loader(root, name)
        known = {text.strip() for _, text in texts}
        if why is not None:
            unread.append(f"{name}: not as it is scored: {why}")
        for path in sorted((root / name).rglob("*")):
            if path.is_file() and path.name.endswith(SUFFIXES):
                others = _of_file(path, path.relative_to(root).as_posix(), unread)
                texts += [(where, text) for where, text in others if text.strip() not in known]
        if not texts:
            raise DataError(
                f"{root / name}: the folder of a benchmark, but no question could be read there ({why or 'it holds none'}), so "
                f"that its items could stand in training; {BENCHMARKS[name].how_to_get(root / name)}, or remove the folder"
            )
        found += texts
    return found, unread


def summary(root: Path, texts: int, unread: list[str]) -> dict[str, Any]:
    """What was compared with, for the funnel: benchmarks present, texts read, and the rows that could not be read."""
    return {"benchmarks": present(root), "texts": texts, "unread": len(unread), "unread_rows": unread[:UNREAD_NAMED]}


def _of_loader(root: Path, name: str) -> tuple[list[Text], str | None]:
    """What is scored, and why there is nothing."""
    try:
        loaded = BENCHMARKS[name].read_answers(root)
    except DataError as error:
        return [], str(error)
    except (KeyError, TypeError, AttributeError) as error:  # fields of other types than published
        return [], f"{type(error).__name__}: {error}"
    return [(f"{name}/{item.id}", item.question) for item in loaded.items], None


def _of_file(path: Path, title: str, unread: list[str]) -> Iterator[Text]:
    """The questions of a file in any of the published forms."""
    if path.suffix == ".parquet":
        yield from _parquet_texts(path, title, unread)
        return
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        unread.append(f"{title}: {type(error).__name__}: {error}")
        return
    lines = content.decode("utf-8-sig", errors="replace")
    if path.suffix in (".csv", ".tsv"):
        try:
            yield from _csv_texts(lines, title, "\t" if path.suffix == ".tsv" else ",")
        except csv.Error as error:
            unread.append(f"{title}: {error}")
        return
    if ".jsonl" not in path.name:
        try:
            yield from ((f"{title} item {number}", text) for number, text in enumerate(_questions(json.loads(lines)), 1))
            return
        except (ValueError, RecursionError):
            pass  # some published .json files hold one object a line
    yield from _line_texts(lines, title, unread)


def _parquet_texts(path: Path, title: str, unread: list[str]) -> Iterator[Text]:
    """The questions of a Parquet file, its pictures left unread."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = [field.name for field in file.schema_arrow if "binary" not in str(field.type)]
            number = 0
            for batch in file.iter_batches(batch_size=BATCH, columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield from ((f"{title}:{number}", text) for text in _row_texts(row))
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        unread.append(f"{title}: {type(error).__name__}: {str(error)[:120]}")


def _line_texts(lines: str, title: str, unread: list[str]) -> Iterator[Text]:
    """The questions of one object a line. A file whose first line is no JSON is no such file: one entry of `unread`."""
    for number, line in enumerate(lines.split("\n"), 1):
        try:
            row = json.loads(line) if line.strip() else None
            yield from ((f"{title}:{number}", text) for text in _questions(row))
        except (ValueError, RecursionError) as error:
            unread.append(f"{title}:{number}: not JSON ({str(error)[:60]})")
            if number == 1:
                return


def _csv_texts(lines: str, title: str, mark: str) -> Iterator[Text]:
    """MMLU has no header and the question first; C-Eval has a header with "question"."""
    rows = list(csv.reader(lines.splitlines(keepends=True), delimiter=mark))
    columns = [place for place, name in enumerate(rows[0]) if _FIELD.fullmatch(name.strip())] if rows else []
    for number, row in enumerate(rows, 1):
        yield from ((f"{title}:{number}", row[place]) for place in columns or [0] if place < len(row))


def _questions(value: Any) -> Iterator[str]:
    """The texts of the rows that a JSON value holds: a row, a list of rows, or rows by id."""
    if isinstance(value, list):
        for item in value:
            yield from _questions(item)
    elif isinstance(value, dict):
        rows = list(value.values())
        if rows and all(isinstance(row, dict) for row in rows):
            yield from _questions(rows)
        else:
            yield from _row_texts(value)


def _row_texts(row: Any) -> Iterator[str]:
    """The texts at question fields anywhere inside a row; all its long texts where it has no such field."""
    found = list(_asked(row))
    yield from found or (text for text in _leaves(row) if len(text.split()) >= LONG or len(text) >= LONG_CHARACTERS)


def _asked(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _asked(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item) if _FIELD.fullmatch(str(key)) else _asked(item)


def _leaves(value: Any) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
