"""Rows of a source, one after another: files of JSON lines, JSON, CSV and Parquet, packed or not, and data sets of the hub.

Every bad row is a fault with its place, never a crash; only one batch of rows is held in memory."""

import codecs
import contextlib
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.data.display import visible
from stages.data.files import DataError
from stages.problems.drafts import Row, RowError

Located = tuple[str, Row | RowError]
"""(file:line, row or fault)."""
_ESCAPED = re.compile("[\udc80-\udcff]")
BATCH = 512
"""Rows of a Parquet file in memory at a time."""
MAX_LINE = 256 << 20
"""Bytes of a line, characters of a cell: a packed file may unpack to any length."""
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")


def scan(path: Path) -> Iterator[Located]:
    """Each row of a file of JSON lines (any other suffix), of a .json file that holds one object of rows by id or one list, of a
    .csv or .tsv file with a header, of a .parquet file. The first two and CSV may be packed (.gz).

    DataError when the file is absent, is no such file at all, or cannot be read on from some line or row (a damaged or
    truncated archive, a cell without an end)."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; put the source there or correct its path and collect.root in params.yaml")
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    reader = _READERS.get(suffix, _json_lines)
    yield from reader(path)


def scan_hub(name: str, revision: str | None, subset: str | None, split: str) -> Iterator[Located]:
    """Each row of the data set `name` of the hub (or of a folder that `datasets` loads) at the commit `revision`, pictures as the
    bytes of their files. The place of a row is name/subset/split:number. DataError when it cannot be loaded."""
    import datasets

    datasets.disable_progress_bars()
    try:
        rows = datasets.load_dataset(name, subset, split=split, revision=revision)
    except (OSError, ValueError, TypeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"data set {name!r} (subset {subset!r}, split {split!r}, revision {revision}): {type(error).__name__}: {reason}; "
            "correct the source in collect.sources, or check the network and the access to the set"
        ) from error
    for column, feature in rows.features.items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(column, datasets.Image(decode=False))
        elif isinstance(getattr(feature, "feature", None), datasets.Image):
            rows = rows.cast_column(column, type(feature)(datasets.Image(decode=False)))  # a list of pictures
    place = "/".join(part for part in (name, subset, split) if part)
    for number, row in enumerate(rows, 1):
        yield f"{place}:{number}", dict(row)


def mapped(rows: Iterator[Located], columns: Mapping[str, str], values: Mapping[str, str | int]) -> Iterator[Located]:
    """Rows of fields: each field of `columns` from its column, each of `values` the same in every row. Without `columns` all
    columns stay as they are."""
    for where, row in rows:
        if isinstance(row, RowError) or not (columns or values):
            yield where, row
        elif absent := sorted(set(columns.values()) - set(row)):
            yield where, RowError("malformed row", f"no column {absent[0]!r}; columns: {visible(', '.join(map(str, row)))}")
        else:
            yield where, {**({field: row[column] for field, column in columns.items()} if columns else row), **values}


def _json_lines(path: Path) -> Iterator[Located]:
    number = 0
    with _readable(path, lambda: number + 1), _opened(path) as file:
        while line := file.readline(MAX_LINE):
            number += 1
            _require_end(line, number, path)
            if bare := line.removeprefix(codecs.BOM_UTF8).strip():
                yield f"{path}:{number}", _parse(bare)


def _json(path: Path) -> Iterator[Located]:
    with _readable(path, lambda: 1), _opened(path) as file:
        try:
            content = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: not JSON ({error}); expected an object of rows by id, or a list of rows") from error
    keyed = content.items() if isinstance(content, dict) else enumerate(content, 1) if isinstance(content, list) else ()
    for key, row in keyed:
        if isinstance(row, dict):
            yield f"{path}:{_shown(key)}", {"id": str(key), **row} if isinstance(content, dict) else row
        else:
            yield f"{path}:{_shown(key)}", RowError("malformed row", f"expected a JSON object, found {type(row).__name__}")


def _csv(path: Path) -> Iterator[Located]:
    """One row a record, its place the line that it begins on; an empty cell is null."""
    csv.field_size_limit(MAX_LINE)
    begin = 1
    with (
        _readable(path, lambda: begin),
        _opened(path) as file,
        io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text,
    ):
        lines = csv.reader(_text_lines(text, path), delimiter="\t" if ".tsv" in path.suffixes else ",")
        head = next(lines, [])
        if not head or len(set(head)) < len(head) or any(map(_ESCAPED.search, head)):
            raise DataError(f"{path}:1: expected a header of different column names in UTF-8, found {str(head)[:300]}")
        begin = lines.line_num + 1
        for cells in lines:
            where, begin = f"{path}:{begin}", lines.line_num + 1
            if not cells:
                continue
            if len(cells) != len(head):
                yield where, RowError("malformed row", f"{len(cells)} cells, the header has {len(head)}")
            elif any(map(_ESCAPED.search, cells)):
                yield where, RowError("malformed row", "not UTF-8")
            else:
                yield where, {name: cell or None for name, cell in zip(head, cells, strict=True)}


def _parquet(path: Path) -> Iterator[Located]:
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:{number}", row
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        where, told = f"{path}:{number + 1}" if number else f"{path}", visible(" ".join(str(error).split()))[:300]
        raise DataError(f"{where}: not a readable Parquet file ({told}); write it anew or correct the path") from error


_READERS: dict[str, Callable[[Path], Iterator[Located]]] = {
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
}


@contextlib.contextmanager
def _readable(path: Path, line: Callable[[], int]) -> Iterator[None]:
    """What makes a file unreadable from a line on, as a DataError that names the line."""
    try:
        yield
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        packed = path.suffix == ".gz" and not isinstance(error, csv.Error)
        advice = "the archive is damaged or cut off, fetch or pack it again" if packed else "write it anew or correct the path"
        raise DataError(f"{path}:{line()}: cannot be read ({visible(str(error))[:200]}); {advice}") from error


def _text_lines(text: io.TextIOWrapper, path: Path) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        _require_end(line, number, path)
        yield line


def _require_end(line: str | bytes, number: int, path: Path) -> None:
    if len(line) >= MAX_LINE:
        raise DataError(f"{path}:{number}: a line of {MAX_LINE >> 20} MiB or more; a row is shorter, so this is no such file")


def _shown(key: object) -> str:
    """A key of the user's file in a place."""
    return visible(str(key))[:100]


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _parse(line: bytes) -> Row | RowError:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return RowError("malformed row", f"not UTF-8 at byte {error.start}")
    except json.JSONDecodeError as error:
        return RowError("malformed row", f"not JSON ({error.msg} at column {error.colno})")
    except (ValueError, RecursionError) as error:
        return RowError("malformed row", f"not usable JSON ({error})")
    if not isinstance(row, dict):
        return RowError("malformed row", f"expected a JSON object, found {type(row).__name__}")
    return row
