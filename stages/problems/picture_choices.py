"""Rows in the form of MMMU (huggingface.co/datasets/MMMU/MMMU): a question with `<image 1>` in it, options, the letter of the right
one. The set itself is for scoring (stages/data/licences.py); this reads your own rows in its form."""

import ast
import re

from stages.data.records import VerifierName
from stages.problems.drafts import (
    Draft,
    Row,
    RowError,
    boxed,
    closing_with_box,
    number_verifier,
    optional_picture,
    optional_text,
    text_of,
)

LETTERS = "ABCDEFGHIJ"
GRADES = {"Easy": 2, "Medium": 3, "Hard": 5}
NO_LICENCE = "not stated"
_SUBJECT = re.compile(r"(?:dev|validation|test)_(\w+)_\d+")
_MARK = re.compile(r"<\s*(image \d+)\s*>")


def read_row(row: Row, family: str) -> Draft:
    """One row {"id", "question", "options", "answer", "image_1" or "images"}. The options are listed in the question, "(A) ...",
    and the verifier is "choice"; without options the answer is free. Raises RowError for a row with several pictures."""
    options = _options(row)
    answer = _answer(row, options)
    verifier: VerifierName = "choice" if options else number_verifier(answer) if any(map(str.isdigit, answer)) else "text"
    listed = "".join(f"\n({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
    solution = optional_text(row, "explanation")
    return Draft(
        id=optional_text(row, "id"),
        source=family,
        licence=optional_text(row, "licence") or NO_LICENCE,
        domain=_subject(row) or family.lower(),
        discipline=(optional_text(row, "subfield") or "").lower() or None,
        question=_MARK.sub(r"\1", text_of(row, "question") + listed),
        image=_picture(row),
        answer=answer,
        verifier=verifier,
        grade=GRADES.get(str(row.get("topic_difficulty")), 0),
        solution_short=boxed(answer),
        solution_long=closing_with_box(solution, answer) if solution else None,
    )


def _subject(row: Row) -> str | None:
    """As in the ids of the set, `validation_Art_Theory_1`: "art theory"."""
    found = _SUBJECT.fullmatch(optional_text(row, "id") or "")
    return found[1].replace("_", " ").lower() if found else None


def _options(row: Row) -> list[str]:
    """The options: a list, or as in the published Parquet files the text of a Python list."""
    value = row.get("options")
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError):
            raise RowError("malformed row", f"options is {value[:80]!r}, expected a list") from None
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > len(LETTERS) or not all(isinstance(option, str) for option in value):
        raise RowError("malformed row", f"options is {str(value)[:80]!r}, expected a list of at most {len(LETTERS)} texts")
    return [option.strip() for option in value]


def _answer(row: Row, options: list[str]) -> str:
    answer = text_of(row, "answer")
    if options and answer not in LETTERS[: len(options)]:
        raise RowError("unparseable answer", f"the answer {answer!r} is no letter of {len(options)} options")
    return answer


def _picture(row: Row) -> str | bytes | None:
    listed = row.get("images")
    if listed is not None and not isinstance(listed, list):
        raise RowError("malformed row", f"images is a {type(listed).__name__}, expected a list")
    fields = {"image": row.get("image")} | {f"image_{number}": row.get(f"image_{number}") for number in range(1, 8)}
    fields |= {f"images {number}": picture for number, picture in enumerate(listed or [], 1)}
    found = [picture for field in fields if (picture := optional_picture(fields, field)) is not None]
    if len(found) > 1:
        raise RowError("several pictures", f"{len(found)} pictures; a problem has one")
    return found[0] if found else None
