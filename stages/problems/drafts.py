"""What an adapter makes of one row of a published file, and how rows are read: every bad row is a finding, never a
crash."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.data.files import DataError
from stages.data.records import VerifierName
from stages.data.wording import ends_boxed
from stages.verifiers.normal_forms import integer_form

Row = dict[str, Any]


class RowError(ValueError):
    """A row cannot become a problem. `rule` names the kind of fault, the message says what was found."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


@dataclass(frozen=True)
class Draft:
    """A problem before its split, its picture and its final id are settled. Fields as in
    stages.data.records.Problem."""

    id: str | None
    """The row's own id; None when the format has none (the line number stands in)."""
    source: str
    licence: str
    domain: str
    question: str
    image: str | None
    """Path of the picture relative to the file's folder."""
    answer: str
    verifier: VerifierName
    grade: int
    solution_short: str | None
    solution_long: str | None


def scan(path: Path) -> Iterator[tuple[str, Row | RowError]]:
    """Each row of a JSONL file, or of a .json file that holds one object of rows by id or one list: (file:line, row
    or fault)."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; put the source there or correct its path and collect.root in params.yaml")
    if path.suffix == ".json":
        yield from _scan_json(path)
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{path}:{number}", _parse(line)


def _scan_json(path: Path) -> Iterator[tuple[str, Row | RowError]]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); expected an object of rows by id, or a list of rows") from error
    keyed = content.items() if isinstance(content, dict) else enumerate(content, 1) if isinstance(content, list) else ()
    for key, row in keyed:
        if isinstance(row, dict):
            yield f"{path}:{key}", {"id": str(key), **row} if isinstance(content, dict) else row
        else:
            yield f"{path}:{key}", RowError("malformed row", f"expected a JSON object, found {type(row).__name__}")


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


def text_of(row: Row, field: str) -> str:
    """The non-empty text (or number, as text) at `field`. Raises RowError when it is absent, empty or of another
    type."""
    value = row.get(field)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowError(f"empty {field}", f"the field {field!r} is {'absent or null' if value is None else 'empty'}")
    if not isinstance(value, str):
        raise RowError("malformed row", f"the field {field!r} is a {type(value).__name__}, expected text")
    if any(0xD800 <= ord(character) < 0xE000 for character in value):
        raise RowError("malformed row", f"the field {field!r} holds half a surrogate pair")
    return value.strip()


def optional_text(row: Row, field: str) -> str | None:
    """As `text_of`, but None when the field is absent, null or empty."""
    return None if row.get(field) in (None, "") else text_of(row, field)


def boxed(answer: str) -> str:
    """The shortest solution: the answer at once."""
    return f"\\boxed{{{answer}}}"


def closing_with_box(solution: str, answer: str) -> str:
    """`solution`, which ends in its boxed answer; a sentence with the box is added where it does not."""
    return solution if ends_boxed(solution) else f"{solution.rstrip()}\nThe answer is {boxed(answer)}."


def number_verifier(answer: str) -> VerifierName:
    """The cheapest rule that reads a numeric answer: "integer" when it is one, else "math"."""
    return "math" if integer_form(answer) is None else "integer"
