"""Majority vote over programs by tests that the same model wrote, as the report does for Codeforces (appendix C).

The report says no more than that. Here the model writes inputs; every sampled program runs on them in the sandbox; programs that
print the same for all inputs agree; the largest group wins, and of it the sample that came first."""

import re
from collections.abc import Sequence

from stages.rollout.engine import Prompt
from stages.verifiers.code_tests import outputs_of
from stages.verifiers.programs import CompileError

INSTRUCTION = (
    "Write test inputs for this problem: small ones, edge cases and one as large as the limits allow when it stays short. Each "
    "must be valid by the statement. Put every input in a code block of its own, without any output or comment."
)
MAX_INPUTS = 16
MAX_INPUT = 100_000
"""Characters of an input; longer ones are left out."""
_BLOCK = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)


def inputs_prompt(statement: str) -> Prompt:
    """Asks for test inputs."""
    return Prompt(f"{statement}\n\n{INSTRUCTION}", None, instruction="")


def inputs_of(response: str) -> list[str]:
    """The inputs of a response: its code blocks, without repeats, at most MAX_INPUTS."""
    found = [block for block in _BLOCK.findall(response) if block.strip() and len(block) <= MAX_INPUT]
    return list(dict.fromkeys(found))[:MAX_INPUTS]


def vote(programs: Sequence[str], inputs: Sequence[str], language: str = "python", seconds: float = 6.0) -> int | None:
    """Index of the program that the vote chooses; None when none runs on all inputs. ValueError without inputs.

    Raises SandboxUnavailableError."""
    if not inputs:
        raise ValueError("a vote needs at least one input")
    return chosen([_behaviour(program, inputs, language, seconds) for program in programs])


def chosen(behaviours: Sequence[tuple[str, ...] | None]) -> int | None:
    """Index of the first of the largest group of equal behaviours; None stands for a program that failed."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, behaviour in enumerate(behaviours):
        if behaviour is not None:
            groups.setdefault(behaviour, []).append(number)
    return max(groups.values(), key=lambda members: (len(members), -members[0]))[0] if groups else None


def _behaviour(program: str, inputs: Sequence[str], language: str, seconds: float) -> tuple[str, ...] | None:
    """What a program prints for each input, white space squeezed; None where it fails on one."""
    try:
        outputs = outputs_of(program, inputs, language, seconds)
    except CompileError:
        return None
    return None if None in outputs else tuple(" ".join(str(text).split()) for text in outputs)
