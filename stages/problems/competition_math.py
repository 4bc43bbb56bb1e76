"""MATH as published (github.com/hendrycks/math, MIT): rows {"problem", "level", "type", "solution"}, and its
answers-only extracts, which have "answer" and a null solution."""

import re

from stages.problems.drafts import Draft, Row, RowError, boxed, closing_with_box, optional_text, text_of
from stages.verifiers.boxes import last_box

_LEVEL = re.compile(r"Level ([1-5])")


def read_row(row: Row, family: str) -> Draft:  # noqa: ARG001 - every adapter is called alike
    """One row. The answer is the field "answer", or else the last box of the solution. Raises RowError without
    either."""
    question = text_of(row, "problem")
    solution = optional_text(row, "solution")
    answer = optional_text(row, "answer") or (last_box(solution) if solution else None)
    if not answer:
        raise RowError("empty answer", "neither an answer nor a solution with a \\boxed{} answer")
    level = _LEVEL.fullmatch(str(row.get("level")))
    return Draft(
        id=None,
        source="math",
        licence="MIT",
        domain="mathematics",
        discipline=(optional_text(row, "type") or "").lower() or None,
        question=question,
        image=None,
        answer=answer,
        verifier="math",
        grade=int(level.group(1)) if level else 0,
        solution_short=boxed(answer),
        solution_long=closing_with_box(solution, answer) if solution else None,
    )
