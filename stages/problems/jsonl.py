"""Your own problems, from a file of any kind or the hub: rows {"question", "answer"} and, as you like, id, image, solution,
verifier, domain, discipline, grade, licence, source.

The answer of a "code" row holds its tests, that of an "instructions" row their list: JSON, as a text or as it is."""

import json
from typing import cast, get_args

from stages.data.records import VerifierName
from stages.problems.drafts import (
    Draft,
    Row,
    RowError,
    boxed,
    closing_with_box,
    optional_picture,
    optional_text,
    text_of,
    without_picture_mark,
)
from stages.verifiers.answer_rules import verifier_for

FIELDS = ("id", "question", "answer", "image", "solution", "verifier", "domain", "discipline", "grade", "licence", "source")
BY_JSON = ("code", "instructions")
"""Verifiers whose gold answer is no answer that a response could box."""
NO_LICENCE = "not stated"


def read_row(row: Row, family: str) -> Draft:
    """One row. Without "verifier" the rule follows the answer as it reads: a plain integer, words ("text"), anything else
    of mathematics.

    Raises RowError for an unknown field, so that a misspelt one is not lost."""
    if unknown := sorted(set(row) - set(FIELDS)):
        raise RowError("malformed row", f"unknown field {unknown[0]!r}; known: {', '.join(FIELDS)}")
    answer = _answer(row)
    verifier = _verifier(row, answer)
    solution = optional_text(row, "solution")
    image, question = optional_picture(row, "image"), text_of(row, "question")
    return Draft(
        id=optional_text(row, "id"),
        source=optional_text(row, "source") or family,
        licence=optional_text(row, "licence") or NO_LICENCE,
        domain=optional_text(row, "domain") or family,
        discipline=optional_text(row, "discipline"),
        question=without_picture_mark(question) if image is not None else question,
        image=image,
        answer=answer,
        verifier=verifier,
        grade=_grade(row),
        solution_short=solution if verifier in BY_JSON else boxed(answer),
        solution_long=solution if verifier in BY_JSON or not solution else closing_with_box(solution, answer),
    )


def _answer(row: Row) -> str:
    answer = row.get("answer")
    if row.get("verifier") in BY_JSON and isinstance(answer, dict | list):
        return text_of({"answer": json.dumps(answer, ensure_ascii=False)}, "answer")
    return text_of(row, "answer")


def _verifier(row: Row, answer: str) -> VerifierName:
    name = optional_text(row, "verifier")
    if name is None:
        return verifier_for(answer)
    if name not in get_args(VerifierName):
        raise RowError("malformed row", f"verifier is {name!r}, expected one of {', '.join(get_args(VerifierName))}")
    return cast(VerifierName, name)


def _grade(row: Row) -> int:
    grade = row.get("grade") or 0
    if isinstance(grade, str) and grade.isdecimal():
        grade = int(grade)  # a cell of a CSV file
    if not isinstance(grade, int) or isinstance(grade, bool) or not 0 <= grade <= 5:
        raise RowError("malformed row", f"grade is {grade!r}, expected a whole number from 0 (none) to 5 (hard)")
    return grade
