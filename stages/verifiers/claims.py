"""What is judged, and how the judgement reads: the two records of the one door (stages/verifiers/verdict.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from stages.data.records import VerifierName

Outcome = Literal["right", "wrong", "error"]


class Claim(NamedTuple):
    """One response that wants a verdict. A tuple, so that plain (verifier, gold, response) triples do as well."""

    verifier: VerifierName
    gold: str
    """The problem's answer, as its verifier reads it."""
    response: str
    question: str = ""
    """The problem's question, which only the judge needs."""


@dataclass(frozen=True)
class Verdict:
    """How one response was judged."""

    outcome: Outcome
    extracted: str | None
    """What was judged: the content of the box, the program, the answer that the judge read; None without one."""
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else the benchmark's own average needs or a reader wants to see, as JSON values."""
