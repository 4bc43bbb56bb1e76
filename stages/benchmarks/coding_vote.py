"""Majority vote over programs by tests that the same model wrote, as the report does for Codeforces (appendix C).

The report says no more than that. Here the model writes inputs; every sampled program runs on each in the sandbox; programs that
print the same for all inputs agree, where to fail on an input is an output like any other (the input may be against the
statement); the largest group wins, and of it the sample that came first. A program that fails on every input has no vote."""

import re
from collections.abc import Sequence

from stages.rollout.engine import Prompt
from stages.verifiers.code_tests import outputs_of
from stages.verifiers.programs import CompileError, StarvedError

INSTRUCTION = (
    "Write test inputs for this problem: small ones, edge cases and one as large as the limits allow when it stays short. Each "
    "must be valid by the statement. Put every input in a code block of its own, without any output or comment."
)
MAX_INPUTS = 16
MAX_INPUT = 100_000
"""Characters of an input; longer ones are left out."""
Behaviour = tuple[str | None, ...]
"""What a program prints for each input; None where it fails."""
_BLOCK = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)


def inputs_prompt(statement: str) -> Prompt:
    """Asks for test inputs."""
    return Prompt(f"{statement}\n\n{INSTRUCTION}", None, instruction="")


def inputs_of(response: str) -> list[str]:
    """The inputs of a response: its code blocks, without repeats, at most MAX_INPUTS."""
    found = [block for block in _BLOCK.findall(response) if block.strip() and len(block) <= MAX_INPUT]
    return list(dict.fromkeys(found))[:MAX_INPUTS]


def vote(programs: Sequence[str], inputs: Sequence[str], language: str = "python", seconds: float = 6.0) -> int | None:
    """Index of the program that the vote chooses; None when none runs on any input. ValueError without inputs.

    Raises SandboxUnavailableError."""
    if not inputs:
        raise ValueError("a vote needs at least one input")
    return chosen([behaviour(program, inputs, language, seconds) for program in programs])


def chosen(behaviours: Sequence[Behaviour | None]) -> int | None:
    """Index of the first of the largest group of equal behaviours; None stands for a program that has no vote."""
    groups: dict[Behaviour, list[int]] = {}
    for number, found in enumerate(behaviours):
        if found is not None:
            groups.setdefault(found, []).append(number)
    return max(groups.values(), key=lambda members: (len(members), -members[0]))[0] if groups else None


def behaviour(program: str, inputs: Sequence[str], language: str = "python", seconds: float = 6.0) -> Behaviour | None:
    """What a program prints for each input, white space squeezed, None where it fails; None where it fails on all of them."""
    try:
        outputs = [outputs_of(program, [text], language, seconds)[0] for text in inputs]
    except (CompileError, StarvedError):
        return None
    found = tuple(None if text is None else " ".join(text.split()) for text in outputs)
    return None if all(text is None for text in found) else found
