"""Rows of published files, whichever of JSONL (packed or not), JSON, CSV and Parquet they are, and the pictures in Parquet."""

import csv
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.data.files import DataError, read_rows, write_bytes

MAX_CELL = 1 << 24
_FORMATS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"GIF8": ".gif"}


def rows_of(path: Path, header: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """All rows. `header` names the columns of a CSV file without a header line. DataError when the file cannot be read."""
    if path.suffix == ".csv":
        return _csv_rows(path, header)
    if path.suffix == ".parquet":
        return _parquet_rows(path)
    if path.suffix == ".gz":
        return _packed_rows(path)
    return read_rows(path)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. DataError when it holds something else."""
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); fetch the file again") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected a JSON object, found {type(value).__name__}; fetch the file again")
    return value


def picture_path(cell: Mapping[str, Any] | None) -> str | None:
    """Path of a picture that a Parquet cell holds ({bytes, path}), written once to the user's cache; None for none."""
    content = cell.get("bytes") if isinstance(cell, Mapping) else None
    if not content:
        return None
    suffix = next((name for mark, name in _FORMATS.items() if content.startswith(mark)), ".img")
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = root / "k15/pictures" / f"{hashlib.sha256(content).hexdigest()[:40]}{suffix}"
    if not target.exists():
        write_bytes(target, content)
    return str(target)


def _csv_rows(path: Path, header: Sequence[str] | None) -> list[dict[str, Any]]:
    csv.field_size_limit(MAX_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not CSV in UTF-8 ({error}); fetch the file again") from error
    names = list(header) if header is not None else rows.pop(0) if rows else []
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise DataError(f"{path}: row {number} has {len(row)} columns, expected {len(names)}; fetch the file again")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _packed_rows(path: Path) -> list[dict[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSONL packed by gzip ({str(error)[:120]}); fetch the file again") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: expected a JSON object on every line; fetch the file again")
    return rows


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({str(error)[:120]}); fetch the file again") from error
    return rows
