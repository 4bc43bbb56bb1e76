"""The verifier "instructions": a problem whose gold answer is a list of instructions that a program can check.

The gold answer is JSON: [{"instruction": "keywords:existence", "arguments": {"keywords": ["sea"]}}, ...], "arguments" left out
where an instruction takes none; the 25 instructions are those of IF-Eval (stages/verifiers/instruction_following.py). The text
after the thinking part must follow every one of them strictly, as in IF-Eval's prompt-level strict accuracy."""

import json
from collections.abc import Sequence
from typing import Any

from stages.verifiers.boxes import final_part
from stages.verifiers.claims import Verdict
from stages.verifiers.instruction_following import Instruction, instruction, judge_all

_KEYS = ({"instruction"}, {"instruction", "arguments"})


def verify_instructions(items: Sequence[tuple[str, str]], workers: int, seconds: float) -> list[Verdict]:
    """Verdicts of (gold, response) pairs in order; "error" where the gold answer is no list of known instructions, or checking
    takes longer than `seconds`."""
    verdicts: dict[int, Verdict] = {}
    checked: dict[int, tuple[list[Instruction], str]] = {}
    for index, (gold, response) in enumerate(items):
        try:
            checked[index] = instructions_from(gold), final_part(response)
        except ValueError as error:
            verdicts[index] = Verdict("error", None, str(error))
    judged = judge_all(list(checked.values()), workers, seconds)
    for (index, (asked, _)), found in zip(checked.items(), judged, strict=True):
        verdicts[index] = Verdict("error", None, found) if isinstance(found, str) else _verdict(asked, found[0])
    return [verdicts[index] for index in range(len(items))]


def instructions_from(gold: str) -> list[Instruction]:
    """The instructions of a gold answer. ValueError says what is wrong with it."""
    try:
        value = json.loads(gold)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the instructions are not JSON: {error}") from None
    if not isinstance(value, list) or not value:
        raise ValueError('the instructions must be a list like [{"instruction": "punctuation:no_comma"}] that is not empty')
    return [_instruction(one) for one in value]


def unusable(gold: str) -> str | None:
    """None when every instruction of the gold answer is known and can be checked, else the reason."""
    try:
        instructions_from(gold)
    except ValueError as error:
        return str(error)
    return None


def _instruction(value: Any) -> Instruction:
    if not isinstance(value, dict) or set(value) not in _KEYS or not isinstance(value["instruction"], str):
        raise ValueError(f"an instruction is an object with instruction and arguments, found {str(value)[:80]}")
    arguments = value.get("arguments", {})
    if not isinstance(arguments, dict):
        raise ValueError(f"{value['instruction']}: the arguments are no object but {str(arguments)[:80]}")
    return instruction(value["instruction"], arguments)


def _verdict(asked: Sequence[Instruction], strict: Sequence[bool]) -> Verdict:
    missed = [name for (name, _), kept in zip(asked, strict, strict=True) if not kept]
    reason = f"not followed: {', '.join(missed)}" if missed else "every instruction is followed"
    return Verdict("wrong" if missed else "right", f"{sum(strict)} of {len(asked)} followed", reason)
