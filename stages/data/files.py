"""JSON Lines in and out: every row is validated, every error names file and line, every write is whole or absent."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

R = TypeVar("R", bound=BaseModel)


class DataError(ValueError):
    """A file cannot be used; the message says where, what was found, what was expected, what to do."""


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, object) of a JSONL file, one after another. DataError names the first line that is not a JSON object."""
    if not path.exists():
        raise DataError(f"{path}: no such file; run the stage that makes it (dvc repro) or correct the path")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not JSON ({error.msg} at column {error.colno}); fix or drop the line") from error
            except RecursionError as error:
                raise DataError(f"{path}:{number}: not usable JSON (nested too deeply); fix or drop the line") from error
            except ValueError as error:
                raise DataError(f"{path}:{number}: not usable JSON ({str(error)[:80]}); fix or drop the line") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: expected a JSON object, found {type(row).__name__}; fix or drop the line")
            yield number, row


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All objects of a JSONL file in order. DataError as `rows_of`."""
    return [row for _, row in rows_of(path)]


def read_records(path: Path, kind: type[R]) -> list[R]:
    """All records of a JSONL file that a stage wrote. DataError names the first bad row and its fields."""
    records = []
    for number, (_, row) in enumerate(rows_of(path), 1):
        try:
            records.append(kind.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "row"
            raise DataError(
                f"{path}: record {number} (id {row.get('id', 'none')!r}): {field}: {first['msg']}; expected a {kind.__name__}"
            ) from error
    return records


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` beside `path` and rename it into place, so that a reader never sees half a file."""
    _write(path, [content])


def write_records(path: Path, records: Iterable[BaseModel]) -> int:
    """Write records as JSONL, whole or not at all, one after another as they come; how many there were."""
    return _write(path, (record.model_dump_json().encode() + b"\n" for record in records))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk and survives a power cut. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Wait until a folder (or a file) is on the disk with all that is in it. Raises OSError."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if not path.is_symlink():
            sync(path)
    sync(folder)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, so that they survive a power cut. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def put_in_place(beside: Path, place: Path) -> None:
    """Rename a file, or a folder to where none is, once it is on the disk whole; then the new name
    is there too. Raises OSError."""
    sync_tree(beside)
    os.replace(beside, place)
    sync(place.parent)


def append_lines(path: Path, content: bytes) -> None:
    """Add whole lines at the end of a file; they are on the disk when this returns. A write that a
    power cut ends leaves no more than a torn end. DataError where it cannot be written."""
    try:
        make_folder(path.parent)
        is_new = not path.exists()
        with path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync(path.parent)
    except OSError as error:
        raise _unwritten(path, error) from error


def _write(path: Path, parts: Iterable[bytes]) -> int:
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        with beside.open("wb") as file:
            for part in parts:
                file.write(part)
                count += 1
        put_in_place(beside, path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        beside.unlink(missing_ok=True)
    return count


def _unwritten(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot write ({error.strerror}); free space or choose a writable folder")
