"""Records on disk as they come, one line each: whatever is there is not done again, whatever was killed goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from stages.data.files import DataError, append_lines, write_bytes

R = TypeVar("R", bound=BaseModel)


def restored(path: Path, kind: type[R]) -> list[R]:
    """The records of a journal in the order in which they came; the half line that a killed writer left is cut off.

    DataError where a whole line is no `kind`."""
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        write_bytes(path, whole)
    records = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            records.append(kind.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            raise DataError(f"{path}:{number}: no {kind.__name__} ({first['msg']}); delete the file to start afresh") from error
    return records


def append(path: Path, records: Sequence[BaseModel]) -> None:
    """Add records at the end of a journal; they are on the disk when this returns. DataError where
    they cannot be written."""
    append_lines(path, "".join(record.model_dump_json() + "\n" for record in records).encode())
