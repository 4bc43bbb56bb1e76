r"""The verifiers "integer", "text", "choice" and "math": a gold answer, a response whose last \boxed{} is the answer.

Only the last box after the thinking part counts. "text" and "choice" compare normal forms; "integer" and "math" first do so
too, then
read both answers (answer_reader.py) and compare what was read in killable processes (math_answer.py). What cannot be read to
its end is never compared: such a gold answer is an error, such an answer wrong."""

from collections.abc import Callable, Sequence

from stages.data.records import VerifierName
from stages.verifiers.answer_reader import readings
from stages.verifiers.answer_tokens import UnreadableError
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
    """For each (verifier, gold) pair None, or why no response could be right: the gold answer cannot be read, or it has no
    value."""
    reasons = [_unreadable(*item) for item in items]
    algebra = [index for index, (verifier, _) in enumerate(items) if verifier == "math" and reasons[index] is None]
    requests = [("readable", items[index][1]) for index in algebra]
    replies = shared_pool().run(requests, workers, seconds) if requests else []
    for index, (outcome, reason) in zip(algebra, replies, strict=True):
        if outcome != "right":
            reasons[index] = reason
    return reasons


def verifier_for(answer: str) -> VerifierName:
    """The rule that reads an answer of its own accord: "integer" for a plain one, "text" for words and names, "math" for the
    rest."""
    if integer_form(answer) is not None:
        return "integer"
    try:
        found = readings(answer)
    except UnreadableError:
        return "math" if any(letter.isdigit() or letter == "\\" for letter in answer) else "text"
    names = all(node.head in ("words", "symbol", "list", "constant") for node in found[0].walk())
    return "text" if names and not any(letter.isdigit() for letter in answer) and "\\" not in text_form(answer) else "math"


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


def _normal_form(verifier: VerifierName, answer: str) -> str | None:
    return _FORMS[verifier](answer) or None


def _unreadable(verifier: VerifierName, gold: str) -> str | None:
    if len(gold) > MAX_ANSWER:
        return f"the gold answer has {len(gold)} characters; at most {MAX_ANSWER} are compared"
    if _normal_form(verifier, gold) is None:
        return f"the gold answer {gold[:80]!r} is not {_KINDS[verifier]}"
    reason = _why_unreadable(gold) if verifier == "math" else None
    return None if reason is None else f"the gold answer {gold[:80]!r} cannot be read: {reason}"


def _judge(verifier: VerifierName, gold: str, response: str) -> Verdict | None:
    """The verdict without algebra, or None when only algebra can tell."""
    answer = boxed_answer(response)
    expected = _normal_form(verifier, gold)
    found = _normal_form(verifier, answer) if answer and len(answer) <= MAX_ANSWER else None
    if expected is not None and len(gold) <= MAX_ANSWER and found == expected:
        return Verdict("right", answer, "equal as written")
    unreadable = _unreadable("math" if verifier == "integer" and _is_equation(gold) else verifier, gold)
    if unreadable is not None:
        return Verdict("error", answer, unreadable)
    if answer is None:
        return Verdict("wrong", None, NO_BOX)
    if not answer:
        return Verdict("wrong", answer, "the \\boxed{} is empty")
    if len(answer) > MAX_ANSWER:
        return Verdict("wrong", answer[:MAX_ANSWER], f"an answer of {len(answer)} characters; at most {MAX_ANSWER} count")
    if verifier == "math" or (verifier == "integer" and (found is None or expected is None)):
        reason = _why_unreadable(answer)
        return None if reason is None else Verdict("wrong", answer, f"the boxed answer cannot be read: {reason}")
    if found is None:
        return Verdict("wrong", answer, f"the boxed answer is not {_KINDS[verifier]}")
    return Verdict("wrong", answer, f"expected {expected!r}")


def _is_equation(gold: str) -> bool:
    """Whether a gold answer is an equation or several: no integer, but it can be compared."""
    try:
        return "=" in gold and any(part.head == "relation" for part in readings(gold)[0].walk())
    except UnreadableError:
        return False


def _why_unreadable(answer: str) -> str | None:
    try:
        readings(answer)
    except UnreadableError as error:
        return str(error)
    return None


def _outcome(name: str) -> Outcome:
    return "right" if name == "right" else "wrong" if name == "wrong" else "error"
