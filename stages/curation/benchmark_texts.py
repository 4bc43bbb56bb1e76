"""The questions of the benchmarks whose files lie under evaluate.root, in whatever of the published formats they
are."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDERS = (
    *("mmlu", "ifeval", "cluewsc", "ceval", "math500", "aime2024", "humaneval_mul", "livecodebench"),
    *("codeforces", "mathvista", "mmmu", "mathvision"),
)
"""Folder names of the twelve benchmarks of tables 2 and 3."""
FIELDS = frozenset({"problem", "question", "prompt", "question_content", "text"})
UNREAD_NAMED = 20
SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".csv")


def present(root: Path) -> list[str]:
    """The benchmarks that have a folder under `root`."""
    return [name for name in FOLDERS if (root / name).is_dir()]


def read_texts(root: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """(benchmark/file:row, question) of every item of every benchmark present, and what could not be read, with the
    reason.

    A damaged row or a file that is no data (a note, a list of ratings) stops nothing, but is never left unsaid."""
    found: list[tuple[str, str]] = []
    unread: list[str] = []
    for name in present(root):
        for path in sorted((root / name).rglob("*")):
            if path.is_file() and path.name.endswith(SUFFIXES):
                found += _texts_of_file(path, path.relative_to(root).as_posix(), unread)
    return found, unread


def summary(root: Path, texts: int, unread: list[str]) -> dict[str, Any]:
    """What was compared with, for the funnel: benchmarks present, texts read, and the rows that could not be read."""
    return {"benchmarks": present(root), "texts": texts, "unread": len(unread), "unread_rows": unread[:UNREAD_NAMED]}


def _texts_of_file(path: Path, title: str, unread: list[str]) -> Iterator[tuple[str, str]]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        unread.append(f"{title}: {type(error).__name__}: {error}")
        return
    lines = content.decode("utf-8-sig", errors="replace")
    if path.suffix == ".csv":
        yield from _csv_texts(lines, title)
        return
    if ".jsonl" not in path.name:
        try:
            yield from ((f"{title} item {number}", text) for number, text in enumerate(_questions(json.loads(lines)), 1))
            return
        except json.JSONDecodeError:
            pass  # some published .json files hold one object a line
    yield from _line_texts(lines, title, unread)


def _line_texts(lines: str, title: str, unread: list[str]) -> Iterator[tuple[str, str]]:
    """The questions of one object a line. A file whose first line is no JSON is no such file: one entry of `unread`."""
    for number, line in enumerate(lines.split("\n"), 1):
        try:
            yield from ((f"{title}:{number}", text) for text in _questions(json.loads(line) if line.strip() else None))
        except json.JSONDecodeError as error:
            unread.append(f"{title}:{number}: not JSON ({error.msg})")
            if number == 1:
                return


def _csv_texts(lines: str, title: str) -> Iterator[tuple[str, str]]:
    """MMLU has no header and the question first; C-Eval has a header with "question"."""
    rows = list(csv.reader(lines.splitlines(keepends=True)))
    column = rows[0].index("question") if rows and "question" in rows[0] else 0
    for number, row in enumerate(rows, 1):
        if len(row) > column:
            yield f"{title}:{number}", row[column]


def _questions(value: Any) -> Iterator[str]:
    """The texts at question fields anywhere inside a JSON value."""
    if isinstance(value, list):
        for item in value:
            yield from _questions(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in FIELDS and isinstance(item, str):
                yield item
            else:
                yield from _questions(item)
