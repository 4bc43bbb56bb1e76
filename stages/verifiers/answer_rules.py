r"""The verifiers "integer", "text", "choice" and "math": a gold answer, a response whose last \boxed{} is the answer.

Only the last box after the thinking part counts. "integer", "text" and "choice" compare normal forms; "math" compares by
math-verify 0.9.0 in killable processes (https://github.com/huggingface/Math-Verify)."""

from collections.abc import Callable, Sequence

from stages.data.records import VerifierName
from stages.verifiers.boxes import boxed_answer
from stages.verifiers.claims import Claim, Outcome, Verdict
from stages.verifiers.normal_forms import choice_form, integer_form, math_form, text_form
from stages.verifiers.processes import shared_pool

MAX_ANSWER = 2000
NO_BOX = "no \\boxed{} answer"


def verify_answers(claims: Sequence[Claim], workers: int, seconds: float) -> list[Verdict]:
    """Verdicts in order. `seconds` is the wall-clock limit of one comparison by algebra."""
    verdicts = [_judge(claim.verifier, claim.gold, claim.response) for claim in claims]
    open_items = [index for index, verdict in enumerate(verdicts) if verdict is None]
    requests = [("equal", claims[index].gold, boxed_answer(claims[index].response) or "") for index in open_items]
    replies = shared_pool().run(requests, workers, seconds) if requests else []
    for index, request, (outcome, reason) in zip(open_items, requests, replies, strict=True):
        verdicts[index] = Verdict(_outcome(outcome), request[2], reason)
    return [verdict for verdict in verdicts if verdict is not None]


def unreadable_answers(items: Sequence[tuple[VerifierName, str]], workers: int, seconds: float) -> list[str | None]:
    """For each (verifier, gold) pair None, or why no response could be right: the gold answer cannot be read, or by algebra it is
    not equal to itself."""
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
