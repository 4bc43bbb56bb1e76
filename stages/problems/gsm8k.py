"""GSM8K as published (github.com/openai/grade-school-math, MIT): rows {"question", "answer"}, the answer after
"####"."""

import re

from stages.problems.drafts import Draft, Row, RowError, boxed, number_verifier, text_of

_CALCULATOR_MARK = re.compile(r"<<[^<>]*>>")


def read_row(row: Row, family: str) -> Draft:  # noqa: ARG001 - every adapter is called alike
    """One row. The worked solution without its calculator marks is the long form, its last line the short one.

    Raises RowError when the row has no question or nothing readable stands after "####"."""
    question = text_of(row, "question")
    worked, mark, final = text_of(row, "answer").rpartition("####")
    answer = final.strip().replace(",", "").removeprefix("$")
    if not mark or not answer:
        raise RowError("empty answer", "no answer after '####'")
    lines = [line.strip() for line in _CALCULATOR_MARK.sub("", worked).splitlines() if line.strip()]
    return Draft(
        id=None,
        source="gsm8k",
        licence="MIT",
        domain="mathematics",
        discipline="arithmetic",
        question=question,
        image=None,
        answer=answer,
        verifier=number_verifier(answer),
        grade=0,
        solution_short="\n".join([*lines[-1:], boxed(answer)]),
        solution_long="\n".join([*lines, boxed(answer)]) if lines else None,
    )
