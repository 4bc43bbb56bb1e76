r"""How a boxed answer of MATH-style sets is judged: by the verifier "math", but for what the published graders read by
another rule.

The graders are that of PRM800K (https://github.com/openai/prm800k, prm800k/grading/grader.py) and that of Qwen2.5-Math
(https://github.com/QwenLM/Qwen2.5-Math, evaluation/grader.py)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from stages.benchmarks.items import Item
from stages.data.records import VerifierName
from stages.verifiers.answer_rules import MAX_ANSWER, NO_BOX
from stages.verifiers.boxes import final_part, last_box, untagged
from stages.verifiers.normal_forms import choice_form, math_form
from stages.verifiers.processes import shared_pool
from stages.verifiers.qwen_forms import normal_form, stated_answer
from stages.verifiers.verdict import Claim, Verdict, verify_all

Pairs = Sequence[tuple[Item, str]]
GraderName = Literal["math-verify", "prm800k", "qwen"]
"""Operations of stages/verifiers/worker.py that stand for the graders of other harnesses."""
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_EXPONENT_GOLD = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)[eE][+-]?\d{1,3}")
_LOST_ARGUMENT = re.compile(r"[A-Za-z]\(\)=")
_LETTER_GOLD = re.compile(r"[A-E]")
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


def judge_by(grader: GraderName, pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """Verdicts on the last box of whole responses, as `read_answer` finds it, by a grader of another harness."""
    boxes = [last_box(read_answer(response)[0]) for _, response in pairs]
    asked = [index for index, box in enumerate(boxes) if box and len(box) <= MAX_ANSWER]
    requests = [(grader, pairs[index][0].gold, boxes[index] or "") for index in asked]
    replies = dict(zip(asked, shared_pool().run(requests, workers, seconds) if requests else [], strict=True))
    return [
        _replied(box, *replies[index]) if index in replies else Verdict("wrong", None if box is None else box[:MAX_ANSWER], NO_BOX)
        for index, box in enumerate(boxes)
    ]


def judge_as_qwen(pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """Verdicts on the answers that whole responses state, by the grader of Qwen2.5-Math's harness; a comparison without an end is
    wrong there, an error here."""
    answers = [normal_form((stated_answer(response) or "")[:MAX_ANSWER]) for _, response in pairs]
    golds = [normal_form(item.gold) for item, _ in pairs]
    requests = [("qwen", gold, answer) for gold, answer in zip(golds, answers, strict=True)]
    replies = shared_pool().run(requests, workers, seconds) if requests else []
    return [_replied(answer, *reply) for answer, reply in zip(answers, replies, strict=True)]


def _replied(box: str | None, outcome: str, reason: str) -> Verdict:
    return Verdict("right" if outcome == "right" else "wrong" if outcome == "wrong" else "error", box, reason)


def judge_answers(verifier: VerifierName, pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """Verdicts on texts by their last box: equality of integers, or of MATH answers by `math_claim` and `as_graders_read`."""
    if verifier != "math":
        return verify_all([(verifier, item.gold, text) for item, text in pairs], workers, seconds)
    answers = [last_box(text) for _, text in pairs]
    verdicts = verify_all([Claim("math", math_claim(item.gold), text) for item, text in pairs], workers, seconds)
    return [
        as_graders_read(item.gold, answer, verdict) for (item, _), answer, verdict in zip(pairs, answers, verdicts, strict=True)
    ]


def math_claim(gold: str) -> str:
    """The gold answer as it should be read: a function's head that lost its argument ("C()=4h+4") is taken off."""
    gold = gold.strip()
    return _LOST_ARGUMENT.sub("", gold, count=1) if _LOST_ARGUMENT.match(gold) else gold


def as_graders_read(gold: str, answer: str | None, verdict: Verdict) -> Verdict:
    """The verdict with the readings in which the graders differ from ours by rule: an option's letter with its text is the letter;
    a list in brackets answers a list without them only where it is written the same (PRM800K wants equal brackets); a float with an
    exponent is answered by a number without commands only (Qwen2.5-Math's grader)."""
    if answer is None or verdict.outcome == "error":
        return verdict
    if verdict.outcome == "wrong":
        is_letter = _LETTER_GOLD.fullmatch(gold.strip()) and choice_form(answer) == gold.strip()
        return Verdict("right", answer, "equal as the letter of an option", verdict.details) if is_letter else verdict
    if verdict.reason == "equal as written":
        return verdict
    if _bare_list(gold) and _bracketed(answer) and math_form(gold) != math_form(answer)[1:-1]:
        return replace(verdict, outcome="wrong", reason="brackets around a list that has none")
    if _EXPONENT_GOLD.fullmatch(gold.strip()) and not _NUMBER.fullmatch(answer):
        return replace(verdict, outcome="wrong", reason="a float with an exponent is expected as a plain number")
    return verdict


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
