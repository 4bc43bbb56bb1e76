"""Hard exclusions (§2.1): multiple choice, true/false and proof questions, where wrong reasoning can reach the right
answer, and gold answers that no response could match."""

import re
from collections.abc import Sequence

from stages.data.licences import forbidden
from stages.data.records import Problem
from stages.verifiers.verdict import answerable_all

BATCH = 16384
"""Answers that are checked at once."""
MULTIPLE_CHOICE, TRUE_FALSE, PROOF = "multiple choice", "true or false", "proof"
_FIGURE = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)
_LABELS = re.compile(r"(?:^|[\s{\]])\(A\)[\s}~$\\].*?[\s{]\(B\)[\s}~$\\]|^\s*A[.)]\s.*?^\s*B[.)]\s", re.DOTALL | re.MULTILINE)
_LISTED = re.compile(r"^\s*(?:choices|options|answer choices)\s*:", re.IGNORECASE | re.MULTILINE)
_TWO_VALUED = re.compile(r"true|false|yes|no|correct|incorrect", re.IGNORECASE)
_TRUE_OR_FALSE = re.compile(r"\btrue or false\b|\byes or no\b", re.IGNORECASE)
_PROVE = re.compile(r"(?:^|[.;:!?$]\s*|\band\s+)(?:prove|show|demonstrate)\s+(?:that|the)\b", re.IGNORECASE)


def kind_of_exclusion(problem: Problem) -> str | None:
    """The hard exclusion that `problem` falls under, by its verifier, question and answer; None when it may stay."""
    question, answer = _FIGURE.sub(" ", problem.wording), problem.answer.strip()
    if problem.verifier == "choice" or _LABELS.search(question) or _LISTED.search(question):
        return MULTIPLE_CHOICE
    if _TWO_VALUED.fullmatch(answer.rstrip(".")) or _TRUE_OR_FALSE.search(question):
        return TRUE_FALSE
    return PROOF if _PROVE.search(question) else None


def exclusions(problems: Sequence[Problem]) -> dict[str, str]:
    """id -> reason for every problem under a hard exclusion."""
    kinds = ((problem.id, kind_of_exclusion(problem)) for problem in problems)
    return {identity: f"{kind} question" for identity, kind in kinds if kind is not None}


def unverifiable(problems: Sequence[Problem], workers: int, judged: bool = False) -> dict[str, str]:
    """id -> reason for every problem whose gold answer the verifier cannot read or does not find equal to itself, or that needs a
    judge where there is none (`judged` is false)."""
    found: dict[str, str] = {}
    for start in range(0, len(problems), BATCH):
        batch = problems[start : start + BATCH]
        reasons = answerable_all([(problem.verifier, problem.answer) for problem in batch], workers, judged=judged)
        found |= {problem.id: why for problem, why in zip(batch, reasons, strict=True) if why is not None}
    return found


def forbidden_sets(problems: Sequence[Problem]) -> dict[str, str]:
    """id -> reason for every problem of a set that may be scored but not trained on."""
    reasons = ((row.id, forbidden(row.source, row.family, row.id, licence=row.licence)) for row in problems)
    return {identity: reason for identity, reason in reasons if reason is not None}
