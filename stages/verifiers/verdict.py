r"""The one door of verification: a response is right, wrong, or cannot be judged (an error, with its reason).

Only the last \boxed{} after the thinking part counts. Rules: "integer", "text" and "choice" compare normal forms;
"math" compares by math-verify 0.9.0 in killable processes (https://github.com/huggingface/Math-Verify)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from stages.data.records import VerifierName
from stages.verifiers.boxes import boxed_answer
from stages.verifiers.normal_forms import choice_form, integer_form, math_form, text_form
from stages.verifiers.processes import shared_pool

Outcome = Literal["right", "wrong", "error"]
MAX_ANSWER = 2000
NO_BOX = "no \\boxed{} answer"


@dataclass(frozen=True)
class Verdict:
    """How one response was judged."""

    outcome: Outcome
    extracted: str | None
    """The content of the box, None without one."""
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else the benchmark's own average needs or a reader wants to see, as JSON values."""


def verify(verifier: VerifierName, gold: str, response: str) -> Verdict:
    """Judge one response. Raises ValueError for an unknown verifier."""
    return verify_all([(verifier, gold, response)], workers=1)[0]


def verify_all(items: Sequence[tuple[VerifierName, str, str]], workers: int = 2, seconds: float = 10.0) -> list[Verdict]:
    """Judge (verifier, gold, response) triples, in order. `seconds` is the wall-clock limit of one comparison."""
    verdicts = [_judge(*item) for item in items]
    open_items = [index for index, verdict in enumerate(verdicts) if verdict is None]
    requests = [("equal", items[index][1], boxed_answer(items[index][2]) or "") for index in open_items]
    replies = shared_pool().run(requests, workers, seconds) if requests else []
    for index, request, (outcome, reason) in zip(open_items, requests, replies, strict=True):
        verdicts[index] = Verdict(_outcome(outcome), request[2], reason)
    return [verdict for verdict in verdicts if verdict is not None]


def answerable(verifier: VerifierName, gold: str) -> str | None:
    """None when the gold answer can be read and is equal to itself, else the reason why no response could be right."""
    return answerable_all([(verifier, gold)], workers=1)[0]


def answerable_all(items: Sequence[tuple[VerifierName, str]], workers: int = 2, seconds: float = 10.0) -> list[str | None]:
    """`answerable` of many (verifier, gold) pairs, in order."""
    reasons = [_unreadable(*item) for item in items]
    algebra = [index for index, (verifier, _) in enumerate(items) if verifier == "math" and reasons[index] is None]
    requests = [("equal", items[index][1], items[index][1]) for index in algebra]
    replies = shared_pool().run(requests, workers, seconds) if requests else []
    for index, (outcome, reason) in zip(algebra, replies, strict=True):
        if outcome != "right":
            reasons[index] = reason if outcome == "error" else "the gold answer is not equal to itself by math-verify"
    return reasons


def _normal_form(verifier: VerifierName, answer: str) -> str | None:
    return _FORMS[verifier](answer) or None


_FORMS: dict[VerifierName, Callable[[str], str | None]] = {
    "integer": integer_form,
    "text": text_form,
    "choice": choice_form,
    "math": math_form,
}
_KINDS: dict[VerifierName, str] = {
    "integer": "an integer",
    "text": "a text",
    "choice": "a letter A to J",
    "math": "a mathematical answer",
}


def _unreadable(verifier: VerifierName, gold: str) -> str | None:
    if verifier not in get_args(VerifierName):
        raise ValueError(f"unknown verifier {verifier!r}; expected one of {', '.join(get_args(VerifierName))}")
    if len(gold) > MAX_ANSWER:
        return f"the gold answer has {len(gold)} characters; at most {MAX_ANSWER} are compared"
    if _normal_form(verifier, gold) is None:
        return f"the gold answer {gold[:80]!r} is not {_KINDS[verifier]}"
    return None


def _judge(verifier: VerifierName, gold: str, response: str) -> Verdict | None:
    """The verdict without algebra, or None when only algebra can tell."""
    unreadable = _unreadable(verifier, gold)
    answer = boxed_answer(response)
    if unreadable is not None:
        return Verdict("error", answer, unreadable)
    if answer is None:
        return Verdict("wrong", None, NO_BOX)
    if not answer:
        return Verdict("wrong", answer, "the \\boxed{} is empty")
    if len(answer) > MAX_ANSWER:
        return Verdict("wrong", answer[:MAX_ANSWER], f"an answer of {len(answer)} characters; at most {MAX_ANSWER} count")
    found = _normal_form(verifier, answer)
    if found is not None and found == _normal_form(verifier, gold):
        return Verdict("right", answer, "equal as written")
    if verifier == "math":
        return None
    if found is None:
        return Verdict("wrong", answer, f"the boxed answer is not {_KINDS[verifier]}")
    return Verdict("wrong", answer, f"expected {_normal_form(verifier, gold)!r}")


def _outcome(name: str) -> Outcome:
    return "right" if name == "right" else "wrong" if name == "wrong" else "error"
