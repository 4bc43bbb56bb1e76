"""What an adapter makes of one row of a source; a row that cannot become a problem is a finding, never a crash."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.data.records import VerifierName
from stages.data.wording import ends_boxed
from stages.verifiers.normal_forms import integer_form

Row = dict[str, Any]
_MARK = re.compile(r"<image ?1?>[ \t]*\n?")
_HALF_PAIR = re.compile("[\ud800-\udfff]")


class RowError(ValueError):
    """A row cannot become a problem. `rule` names the kind of fault, the message says what was found."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem before its split, its picture and its final id are settled. Fields as in
    stages.data.records.Problem."""

    id: str | None
    """The row's own id; None when the format has none (the line number stands in)."""
    source: str
    licence: str
    domain: str
    discipline: str | None
    question: str
    image: str | bytes | Path | None
    """Path of the picture relative to the source's folder, or the content of its file, or where that was put meanwhile."""
    answer: str
    verifier: VerifierName
    grade: int
    solution_short: str | None
    solution_long: str | None


def text_of(row: Row, field: str) -> str:
    """The non-empty text at `field`; numbers and truth values as texts (1e-05, true). Raises RowError when it is absent, empty, no
    number (NaN, Infinity) or of another type."""
    value = row.get(field)
    if isinstance(value, float) and not math.isfinite(value):
        raise RowError(f"empty {field}", f"the field {field!r} is {value}, which is no number")
    if isinstance(value, int | float):
        value = json.dumps(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowError(f"empty {field}", f"the field {field!r} is {'absent or null' if value is None else 'empty'}")
    if not isinstance(value, str):
        raise RowError("malformed row", f"the field {field!r} is a {type(value).__name__}, expected text")
    if _HALF_PAIR.search(value):
        raise RowError("malformed row", f"the field {field!r} holds half a surrogate pair")
    return value.strip()


def optional_text(row: Row, field: str) -> str | None:
    """As `text_of`, but None when the field is absent, null or empty."""
    return None if row.get(field) in (None, "") else text_of(row, field)


def optional_picture(row: Row, field: str) -> str | bytes | None:
    """The picture at `field`: a path (text), the bytes of its file, or, as `datasets` writes it, an object of both; also as
    the only item of a list. Raises RowError for anything else."""
    value = row.get(field)
    if isinstance(value, list):
        if len(value) > 1:
            raise RowError("several pictures", f"the field {field!r} holds {len(value)} pictures; a problem has one or none")
        value = value[0] if value else None
    if isinstance(value, dict) and set(value) <= {"bytes", "path"}:
        value = value.get("bytes") or value.get("path")
    return value if isinstance(value, bytes) and value else optional_text({field: value}, field)


def without_picture_mark(question: str) -> str:
    """A question without the mark for its one picture, which sets on the hub put into it: <image>, <image1>, <image 1>."""
    return _MARK.sub("", question).strip()


def boxed(answer: str) -> str:
    """The shortest solution: the answer at once."""
    return f"\\boxed{{{answer}}}"


def closing_with_box(solution: str, answer: str) -> str:
    """`solution`, which ends in its boxed answer; a sentence with the box is added where it does not."""
    return solution if ends_boxed(solution) else f"{solution.rstrip()}\nThe answer is {boxed(answer)}."


def number_verifier(answer: str) -> VerifierName:
    """The cheapest rule that reads a numeric answer: "integer" when it is one, else "math"."""
    return "math" if integer_form(answer) is None else "integer"
