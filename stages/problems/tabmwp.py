"""TabMWP as published (github.com/lupantech/PromptPG, CC BY-NC-SA 4.0): a question about the picture of a table.

A JSONL file whose rows name their picture in "image", or the published JSON object of rows by id with tables/<id>.png
beside it."""

import re

from stages.data.records import VerifierName
from stages.problems.drafts import Draft, Row, RowError, boxed, closing_with_box, optional_text, text_of

_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")


def read_row(row: Row, family: str) -> Draft:  # noqa: ARG001 - every adapter is called alike
    """One row. Free-text answers are numbers (verifier "math"); those of multiple choice are words ("text"), and the
    choices are listed in the question. The unit is given as in PromptPG's own prompts. Raises RowError for a row
    without these."""
    identity = text_of(row, "id")
    question, answer = text_of(row, "question"), text_of(row, "answer")
    kind = text_of(row, "ques_type")
    if kind not in ("free_text", "multi_choice"):
        raise RowError("malformed row", f"ques_type is {kind!r}, expected free_text or multi_choice")
    if unit := optional_text(row, "unit"):
        question += f" (Unit: {unit})"
    verifier: VerifierName = "math"
    if kind == "multi_choice":
        verifier = "text"
        question += "\nChoices: " + "; ".join(_choices(row, answer))
    elif _THOUSANDS.fullmatch(answer):
        answer = answer.replace(",", "")
    solution = optional_text(row, "solution")
    grade = row.get("grade")
    return Draft(
        id=identity,
        source="tabmwp",
        licence="CC-BY-NC-SA-4.0",
        domain="table reading",
        discipline=None,
        question=question,
        image=optional_text(row, "image") or f"tables/{identity}.png",
        answer=answer,
        verifier=verifier,
        grade=max(1, min(5, grade - 3)) if isinstance(grade, int) else 0,
        solution_short=boxed(answer),
        solution_long=closing_with_box(solution, answer) if solution else None,
    )


def _choices(row: Row, answer: str) -> list[str]:
    choices = row.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        raise RowError("malformed row", f"choices is {choices!r}, expected a list of texts")
    if answer not in choices:
        raise RowError("unparseable answer", f"the answer {answer!r} is not among the choices {choices!r}")
    return choices
