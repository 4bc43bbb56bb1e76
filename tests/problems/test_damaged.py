"""Damaged and hostile files of rows: an error that names file and line, or a finding for a row, never another exception."""

import csv
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks import questions, tables
from stages.data.display import no_label, visible
from stages.data.files import DataError
from stages.data.records import Problem
from stages.problems import jsonl
from stages.problems import rows as module
from stages.problems.drafts import RowError
from stages.problems.published import Reader
from stages.problems.rows import scan
from stages.run.collecting import Source

ROWS = [{"question": f"What is {number} + 1? „{'x' * (number % 40)}“", "answer": str(number + 1)} for number in range(300)]
DAMAGES = 25


def _lines() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def _table(mark: str = ",") -> bytes:
    return "".join(
        mark.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n"
        for row in [["question", "answer"], *([*row.values()] for row in ROWS)]
    ).encode()


def _parquet(compression: str) -> Callable[[], bytes]:
    def made() -> bytes:
        import pyarrow
        from pyarrow import parquet

        sink = pyarrow.BufferOutputStream()
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), sink, compression=compression, row_group_size=100)
        return sink.getvalue().to_pybytes()

    return made


FILES: dict[str, Callable[[], bytes]] = {
    "a.jsonl": _lines,
    "a.jsonl.gz": lambda: gzip.compress(_lines(), mtime=0),
    "a.json": lambda: json.dumps(ROWS).encode(),
    "a.json.gz": lambda: gzip.compress(json.dumps(ROWS).encode(), mtime=0),
    "a.csv": _table,
    "a.csv.gz": lambda: gzip.compress(_table(), mtime=0),
    "a.tsv.gz": lambda: gzip.compress(_table("\t"), mtime=0),
    "a.parquet": _parquet("none"),
    "b.parquet": _parquet("snappy"),
    "c.parquet": _parquet("gzip"),
}


def damaged(content: bytes, chance: random.Random) -> list[bytes]:
    """Truncations, flipped bytes, zeroed and lost blocks, doubled ends, other files' beginnings."""
    made = [
        b"",
        content[:1],
        content[: len(content) // 2],
        content[:-1],
        content[:-8],
        content + content[:100],
        b"\x1f\x8b" + content,
    ]
    for _ in range(DAMAGES):
        at, length = chance.randrange(len(content)), chance.randrange(1, 200)
        flipped = bytearray(content)
        flipped[at] ^= chance.randrange(1, 256)
        made += [
            bytes(flipped),
            content[:at],
            content[:at] + bytes(length) + content[at + length :],
            content[:at] + content[at + length :],
        ]
    return made


def _told(work: Callable[[], Any]) -> Any:
    """What it gives, or the words of its DataError."""
    try:
        return work()
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_one_error_with_its_place(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for content in damaged(FILES[name](), random.Random(name)):
        path.write_bytes(content)
        told = _told(lambda: list(scan(path)))
        assert told.startswith(str(path)) if isinstance(told, str) else all(isinstance(row, dict | RowError) for _, row in told)


@pytest.mark.parametrize("name", FILES)
def test_benchmark_files_too(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for content in damaged(FILES[name](), random.Random(f"{name} again")):
        path.write_bytes(content)
        unread: list[str] = []
        list(questions._of_file(path, "title", unread))
        if not name.endswith((".json", ".json.gz", ".csv.gz", ".tsv.gz")):
            told = _told(lambda: tables.rows_of(path))
            assert not isinstance(told, str) or str(path) in told


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.jsonl.gz",
            gzip.compress(_lines(), mtime=0)[:-9],
            r"a\.jsonl\.gz:\d+: cannot be read \(.*\); the archive is damaged or cut off",
        ),
        (
            "a.jsonl.gz",
            b'{"question": "1", "answer": "1"}\n',
            r"a\.jsonl\.gz:1: cannot be read \(Not a gzipped file",
        ),
        ("a.json.gz", gzip.compress(b"[]", mtime=0)[:-1], r"a\.json\.gz:1: cannot be read \(.*; the archive"),
        ("a.csv.gz", gzip.compress(_table(), mtime=0)[:-9], r"a\.csv\.gz:\d+: cannot be read \(.*; the archive"),
        ("a.csv", b"question,answer\n" + b"\xff,1\n" + b"1,2\n", None),
        ("a.csv", b"\xff,answer\n1,1\n", r"a\.csv:1: expected a header of different column names in UTF-8"),
        ("a.parquet", b"PAR1" + bytes(100) + b"PAR1", r"a\.parquet: not a readable Parquet file"),
        ("a.json", b"[" * 100_000, r"a\.json: not JSON"),
    ],
)
def test_places_of_damage(name: str, content: bytes, message: str | None, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    if message is None:
        assert [isinstance(row, RowError) for _, row in scan(tmp_path / name)] == [True, False]
        return
    with pytest.raises(DataError, match=message):
        list(scan(tmp_path / name))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.gz"])
def test_a_line_without_an_end_does_not_fill_the_memory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 1 << 20)
    content = b"question,answer\n1,2\n" + b"x" * (3 << 20)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(DataError, match=rf"{name}:3: a line of 1 MiB or more"):
        list(scan(tmp_path / name))


def test_a_cell_without_an_end_is_told_where_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 1000)
    (tmp_path / "a.csv").write_bytes(b'question,answer\n1,2\n"3,4\n' + b"5,6\n" * 1000)
    before = csv.field_size_limit()
    with pytest.raises(DataError, match=r"a\.csv:3: cannot be read \(field larger than field limit"):
        list(scan(tmp_path / "a.csv"))
    csv.field_size_limit(before)


HOSTILE = [chr(code) for code in (*range(32), *range(127, 160), 0x2028, 0x2029, 0x202A, 0x202E, 0x2066, 0x2069, 0xFFFE, 0xFFFF)]


@pytest.mark.parametrize("field", ["id", "source", "licence", "domain", "discipline"])
def test_a_label_of_a_row_holds_characters_to_read(field: str, tmp_path: Path) -> None:
    rows = [(f"f:{number}", {"question": f"{number}?", "answer": "1", field: f"a{sign}b"}) for number, sign in enumerate(HOSTILE)]
    reader = Reader(
        jsonl.read_row, iter([*rows, ("f:99", {"question": "99?", "answer": "1", field: "Größe – 数学 (עברית) $x$ <b>"})]),
        "f", tmp_path, "own", {"heldout": 0, "validation": 0, "train": 1000}, tmp_path / "images", 10_000, 1,
    )  # fmt: skip
    loaded = reader.load()
    assert [problem.question for problem in loaded.problems] == ["99?"]
    assert {finding.rule for finding in loaded.excluded} == {"malformed row"}
    assert len(loaded.excluded) == len(HOSTILE)
    assert all(visible(finding.reason) == finding.reason for finding in loaded.excluded)


@pytest.mark.parametrize("sign", HOSTILE)
def test_a_family_name_holds_characters_to_read(sign: str) -> None:
    values = {"kind": "jsonl", "train": 1, "validation": 0, "heldout": 0, "path": "a.jsonl"}
    with pytest.raises(ValueError, match=r"cannot be shown: it holds the control character U\+"):
        Source(families=[f"a{sign}"], **values)  # type: ignore[arg-type]
    assert no_label("Größe – 数学 (עברית) $x$ <b>") is None


def test_a_file_of_problems_with_such_a_name_is_refused() -> None:
    values = {"id": "a", "source": "s", "licence": "MIT", "family": "f", "domain": "d", "discipline": None, "modality": "text",
              "question": "1?", "image": None, "answer": "1", "verifier": "integer", "grade": 0, "split": "train",
              "solution_short": None, "solution_long": None, "parameters": {}}  # fmt: skip
    Problem(**values)  # type: ignore[arg-type]
    for field in ("id", "source", "licence", "family", "domain", "discipline"):
        with pytest.raises(ValueError, match=r"U\+001B"):
            Problem(**{**values, field: "a\x1b[31m"})  # type: ignore[arg-type]
