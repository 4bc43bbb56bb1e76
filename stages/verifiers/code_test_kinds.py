"""The kinds of tests that a program is judged by."""

from dataclasses import dataclass

from stages.verifiers.output_comparison import TOLERANCE


@dataclass(frozen=True)
class StdinTest:
    """A program gets `input` and must print `output`."""

    input: str
    output: str
    tolerance: float = TOLERANCE
    """Absolute or relative difference that numbers with a point may have; LiveCodeBench's harness has none."""
    checker: str | None = None
    """A Python program that decides instead: it reads {"input", "output", "answer"} as JSON, `answer` being what the program
    printed, and prints "right" or "wrong"."""


@dataclass(frozen=True)
class CallTest:
    """`function` gets the JSON values that stand on the lines of `arguments` and must return the JSON value `result`."""

    function: str
    arguments: str
    result: str
    tolerance: float = TOLERANCE
    """As of StdinTest."""


@dataclass(frozen=True)
class AssertTest:
    """Statements that raise when the program before them is wrong. What they expect stays outside the program's process."""

    statements: str


Test = StdinTest | CallTest | AssertTest
