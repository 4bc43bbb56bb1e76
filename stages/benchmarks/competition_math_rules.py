r"""How a boxed answer of MATH-style sets is judged: by math-verify, but for what the published graders read by another rule.

The graders are that of PRM800K (https://github.com/openai/prm800k, prm800k/grading/grader.py) and that of Qwen2.5-Math
(https://github.com/QwenLM/Qwen2.5-Math, evaluation/grader.py)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stages.benchmarks.items import Item
from stages.data.records import VerifierName
from stages.verifiers.boxes import final_part, last_box, untagged
from stages.verifiers.normal_forms import choice_form, math_form
from stages.verifiers.verdict import Claim, Verdict, verify_all

Pairs = Sequence[tuple[Item, str]]
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,3}))?")
_LOST_ARGUMENT = re.compile(r"[A-Za-z]\(\)=")
_LETTER_GOLD = re.compile(r"[A-E]")
_NO_VARIABLES = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mbox)\s*\{[^{}]*\}|\\[a-zA-Z]+")
_OPEN, _CLOSE = "([{", ")]}"


def judge_boxes(verifier: VerifierName, pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """Verdicts on whole responses. The last box after the last `</think>` decides; where none follows, the last box of the whole
    response does, and the verdict's details say read_from "thinking": a response cut off in its thoughts or summary is judged by
    the answer that its thinking part reached, as Qwen's and AReaL's harnesses judge it."""
    parts = [read_answer(response) for _, response in pairs]
    verdicts = judge_answers(verifier, [(item, text) for (item, _), (text, _) in zip(pairs, parts, strict=True)], workers, seconds)
    return [
        replace(verdict, details={**verdict.details, **details}) if details else verdict
        for verdict, (_, details) in zip(verdicts, parts, strict=True)
    ]


def read_answer(response: str) -> tuple[str, Mapping[str, Any]]:
    """The text whose last box is the answer, and what a verdict's details say of where it stood."""
    text = final_part(response)
    if text == response or last_box(text) is not None:
        return text, {}
    whole = untagged(response)
    return (text, {}) if last_box(whole) is None else (whole, {"read_from": "thinking"})


def judge_answers(verifier: VerifierName, pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """Verdicts on texts by their last box: equality of integers, or of MATH answers by `math_claim` and `as_graders_read`."""
    if verifier != "math":
        return verify_all([(verifier, item.gold, text) for item, text in pairs], workers, seconds)
    answers = [last_box(text) for _, text in pairs]
    claims = [(*math_claim(item.gold, answer), text) for (item, text), answer in zip(pairs, answers, strict=True)]
    boxes = [Claim("math", gold, text if changed is None else f"\\boxed{{{changed}}}") for gold, changed, text in claims]
    verdicts = verify_all(boxes, workers, seconds)
    return [
        as_graders_read(item.gold, answer, verdict) for (item, _), answer, verdict in zip(pairs, answers, verdicts, strict=True)
    ]


def math_claim(gold: str, answer: str | None) -> tuple[str, str | None]:
    r"""The gold answer as math-verify should read it, and the answer where that changes too, else None.

    Two plain numbers of which one has an exponent (1e-3 and 0.001) are written out as powers of ten, as Qwen's grader reads
    floats; a function's head that lost its argument ("C()=4h+4") is taken off the gold answer."""
    gold = gold.strip()
    if answer is not None:
        numbers = [_NUMBER.fullmatch(text) for text in (gold, answer)]
        if all(numbers) and any(found and found.group(1) for found in numbers):
            return _power(gold), _power(answer)
    return _LOST_ARGUMENT.sub("", gold, count=1) if _LOST_ARGUMENT.match(gold) else gold, None


def as_graders_read(gold: str, answer: str | None, verdict: Verdict) -> Verdict:
    """The verdict with the readings in which the graders differ from math-verify by rule:
    an option's letter with its text is the letter; letters of another case are other variables; a list in brackets answers a list
    without them only where it is written the same (PRM800K wants equal brackets)."""
    if answer is None or verdict.outcome == "error":
        return verdict
    if verdict.outcome == "wrong":
        is_letter = _LETTER_GOLD.fullmatch(gold.strip()) and choice_form(answer) == gold.strip()
        return Verdict("right", answer, "equal as the letter of an option", verdict.details) if is_letter else verdict
    verdict = replace(verdict, extracted=answer)
    if verdict.reason != "equal by math-verify":
        return verdict
    if _other_case(gold, answer):
        return replace(verdict, outcome="wrong", reason="a variable is written in the other case")
    if _bare_list(gold) and _bracketed(answer) and math_form(gold) != math_form(answer)[1:-1]:
        return replace(verdict, outcome="wrong", reason="brackets around a list that has none")
    return verdict


def _power(number: str) -> str:
    mantissa, _, exponent = number.lower().partition("e")
    return f"{mantissa} \\times 10^{{{int(exponent)}}}" if exponent else number


def _other_case(gold: str, answer: str) -> bool:
    """Whether a letter of the answer stands in the gold answer in the other case only, and not the other way in the answer."""
    expected, found = (set(re.findall(r"[a-zA-Z]", _NO_VARIABLES.sub(" ", text))) for text in (gold, answer))
    return any(letter.swapcase() in expected - found for letter in found - expected)


def _bare_list(text: str) -> bool:
    """Whether `text` has a comma outside of all brackets."""
    depth = 0
    for letter in text:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter == "," and depth == 0:
            return True
    return False


def _bracketed(text: str) -> bool:
    """Whether `text` is one tuple: a list in round or square brackets that open at its start and close at its end."""
    bare = math_form(text)
    depth = 0
    for letter in bare[1:-1]:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if depth < 0:
            return False
    return bare[:1] in ("(", "[") and bare[-1:] in (")", "]") and _bare_list(bare[1:-1])
