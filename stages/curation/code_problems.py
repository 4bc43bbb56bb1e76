"""Code problems that lack tests (§2.3.5), as their files hold them, and what test-case generation makes of each."""

import json
import re

from pydantic import Field

from stages.data.records import Record
from stages.verifiers.languages import LANGUAGES


class Submission(Record):
    """A program that was accepted as right: it reads standard input and prints the answer."""

    program: str = Field(min_length=1)
    language: str = "python"
    """One of stages/verifiers/languages.py."""


class CodeProblem(Record):
    """One row of a file of code problems; without the fields that have a default it is complete as well."""

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    """The statement, which says how a program reads its input and prints its answer."""
    submissions: list[Submission | str]
    """Ground-truth submissions; a text alone is Python."""
    generator: str | None = None
    """A program that prints test inputs (stages/verifiers/sandboxed_generator.py); None: the model writes it."""
    special_judge: bool | None = None
    """Whether several outputs are right; None: not known."""
    language: str = "python"
    """What answers are to be written in."""
    licence: str = "not stated"
    source: str = "code"
    domain: str = "coding"
    grade: int = Field(0, ge=0, le=5)

    def references(self) -> list[Submission]:
        """The submissions with their languages."""
        return [Submission(program=one) if isinstance(one, str) else one for one in self.submissions]


class CodeOutcome(Record):
    """What test-case generation made of one problem: its tests, or the rule that removed it."""

    id: str
    rule: str | None
    """One of RULES; None for a problem that is kept."""
    reason: str
    tests: list[dict[str, str]]
    """{"input", "output"} of every test that is kept; [] for a problem that is not."""
    counts: dict[str, int]
    """Inputs "wanted", "generated", "distinct"; of the distinct ones "agreed", "disputed", "unfinished"; submissions "run" and
    "passing"."""


TOO_FEW = "too few submissions"
SPECIAL_JUDGE = "special judge"
NO_TESTS = "too few valid tests"
NOT_PASSED = "references fail"
RULES = (TOO_FEW, SPECIAL_JUDGE, NO_TESTS, NOT_PASSED)
"""In the order of the funnel."""
_ANY_ANSWER = re.compile(
    r"(?:if there (?:are|is) (?:several|multiple|many|more than one)|any (?:one )?of (?:them|the (?:valid|possible|optimal)))"
    r"[^.\n]{0,80}|(?:print|output|find|return) any (?:valid|such|possible|correct|one)\b[^.\n]{0,60}",
    re.IGNORECASE,
)


def several_answers(problem: CodeProblem) -> str | None:
    """Why the problem needs a special judge, as its row or its statement says; None where neither does."""
    if problem.special_judge is not None:
        return "the row says so" if problem.special_judge else None
    found = _ANY_ANSWER.search(problem.question)
    return f"the statement says {' '.join(found[0].split())[:80]!r}" if found else None


def unusable(problem: CodeProblem) -> str | None:
    """Why no submission of the row can be run; None where all can."""
    languages = {problem.language, *(one.language for one in problem.references())}
    unknown = sorted(languages - set(LANGUAGES))
    return f"unknown language {unknown[0]!r}; known: {', '.join(LANGUAGES)}" if unknown else None


def as_row(problem: CodeProblem, outcome: CodeOutcome) -> str:
    """A kept problem as a line of a "jsonl" source (stages/problems/jsonl.py): its answer is its tests."""
    answer = {"language": problem.language, "tests": outcome.tests}
    row = problem.model_dump(include={"id", "question", "licence", "source", "domain", "grade"})
    return json.dumps({**row, "verifier": "code", "answer": answer}, ensure_ascii=False)
