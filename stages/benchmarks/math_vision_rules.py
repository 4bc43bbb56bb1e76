r"""The authors' rules of MATH-Vision, re-implemented without eval().

Source: github.com/mathllm/MATH-V, evaluation/evaluate.py and utils.py at commit 1d361180. Two texts are equal when they
are the same after lower-casing, or when both evaluate to numbers that agree after rounding to two decimals. The authors
evaluate with latex2sympy2 1.9.1, whose habits are kept because published scores contain them: it reads the longest
prefix that is mathematics ("12.so it is" is 12), takes 3\frac{1}{2} for a product, and cannot read degrees, \boxed,
"{,}" or the letter e."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from stages.verifiers.processes import shared_pool

Match = Literal["equal", "different", "unknown"]
Number = float | None
_LETTERS = "ABCDE"
_FLAGS = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_BOX = "oxed{"
_DROPPED = (
    *(" ", "\\,"),
    *("\\text", "\\mbox", "\\left", "\\right", "^{\\circ}", "^\\circ"),
    *("{m}^3", "m^3", "{units}", "units", "{km}", "km"),
)
_UNREADABLE = ("circ", "\\!", "boxed", "\\fbox", "{,}", "\\(", "\\sec", "\\csc", '"', "|")
_PLAIN_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_PREFIX = re.compile(r"(-?\d+(?:\.\d+)?(?:/\d+)?)(?=\)|\]|\s*\\rightarrow|\.[a-z.])")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\\%")
_MIXED = re.compile(r"(?<=\d)\s*(?=\\frac)")
_COMMAND = re.compile(r"\\[a-z]+")
_MAX_TERM = 400


def answer_of(response: str) -> str:
    """The authors' extraction: lower case, without spaces, units and LaTeX dressing; "" when nothing is left."""
    text = _stated_answer(response.strip())
    text = _strip_latex(_after_box(text.lower()))
    for letter in "abcde":
        text = text.replace(f"({letter})", letter)
    for letter in "abcde":
        text = text.replace(f"{{{letter}}}", letter)
    return text.rstrip(".").lstrip(":").strip()


def matches(pairs: Sequence[tuple[str, Sequence[str]]], workers: int, seconds: float) -> list[tuple[Match, str]]:
    """For every (answer, golds): whether it equals one of the golds, and why. "unknown" when one did not end."""
    terms = {term for answer, golds in pairs for term in _terms_to_evaluate(answer, golds)}
    numbers = _evaluate(sorted(terms), workers, seconds)
    return [_match(answer, golds, numbers) for answer, golds in pairs]


def _stated_answer(text: str) -> str:
    for letter in _LETTERS:
        ends = text.endswith((f" {letter}.", f" ({letter})."))
        if ends or text.startswith((f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")):
            text = letter
    tail = text.split("is ")[-1].rstrip(".")
    if _is_number(tail):
        text = tail
    if _BOX not in text:
        for flag in _FLAGS:
            for form in (flag, flag.replace("the", "The")):
                text = text.split(form)[-1].strip().split("\n")[0].split(". ")[0] if form in text else text.strip()
    elif text.count(_BOX) > 1:
        text = "\\boxed{" + text.split(_BOX)[-1]
    return text


def _after_box(text: str) -> str:
    """The content of the last box, up to a closing brace that was never opened, after the last equals sign."""
    text = text.replace("{}", "")
    start, end = text.find(_BOX), text.rfind("}")
    answer = text[start + len(_BOX) : end] if start >= 0 and start + len(_BOX) <= end else text
    closing, opening = answer.find("}"), answer.find("{")
    if closing != -1 and (opening == -1 or closing < opening):
        answer = answer[:closing]
    return str(answer.split("=")[-1].split("\\approx")[-1])


def _strip_latex(answer: str) -> str:
    answer = answer.replace(" ", "").replace("\\,", "").replace("∞", "\\infty").replace("+\\infty", "\\infty")
    answer = answer.replace("\\\\", "\\").replace("\n", "")
    for dropped in _DROPPED:
        answer = answer.replace(dropped, "")
    answer = answer.replace("bmatrix", "pmatrix").replace("\\!", "").replace("\\\\", "\\")
    answer = answer.replace("tfrac", "frac").replace("dfrac", "frac")
    for dropped in ("\\left", "\\right", "^{\\circ}", "^\\circ", "\\$", "$", "\\%"):
        answer = answer.replace(dropped, "")
    answer = answer.replace("{.", "{0.")
    if answer.startswith("."):
        answer = f"0{answer}"
    if "sqrt" in answer:
        answer = _brace_fractions(re.sub(r"\\sqrt(?=[^{])(.)", r"\\sqrt{\1}", answer))
    if answer == "0.5":
        return "\\frac{1}{2}"
    return re.sub(r"\A(-?\d+)/(-?\d+)\Z", r"\\frac{\1}{\2}", answer)


def _brace_fractions(text: str) -> str:
    """\\frac12 as \\frac{1}{2}."""
    text = re.sub(r"\\frac([^{])([^{])", r"\\frac{\1}{\2}", text)
    return re.sub(r"\\frac([^{])\{", r"\\frac{\1}{", text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _elements(term: str) -> list[str] | None:
    """Elements of a tuple or list with more than one, else None."""
    parts = term[1:-1].split(",")
    return parts if len(parts) > 1 and (term[0], term[-1]) in {("(", ")"), ("[", "]")} else None


def _terms_to_evaluate(answer: str, golds: Sequence[str]) -> Iterable[str]:
    if not answer or any(_same(answer, gold) for gold in golds):
        return
    for term in (answer, *(gold.lower() for gold in golds)):
        yield term
        if len(term) <= _MAX_TERM:
            yield from _elements(term) or ()


def _same(answer: str, gold: str) -> bool:
    return gold.strip().lower() == answer.lower().strip()


def _match(answer: str, golds: Sequence[str], numbers: dict[str, Number | str]) -> tuple[Match, str]:
    if not answer:
        return "different", "no answer"
    unknown = ""
    for gold in golds:
        if _same(answer, gold):
            return "equal", f"equal as written to {gold!r}"
        left, right = _rounded(answer, numbers), _rounded(gold.lower(), numbers)
        if left is not None and left == right:
            return "equal", f"equal to {gold!r} after rounding to two decimals"
        unknown = unknown or next((str(numbers[t]) for t in (answer, gold.lower()) if isinstance(numbers.get(t), str)), "")
    return ("unknown", unknown) if unknown else ("different", f"expected {' or '.join(golds)!r}")


def _rounded(term: str, numbers: dict[str, Number | str]) -> tuple[float | str, ...] | None:
    """The number, or the numbers of a tuple behind its opening bracket, rounded to two decimals; None without them."""
    parts = _elements(term)
    if parts is None:
        number = numbers.get(term)
        return (round(number, 2),) if isinstance(number, float) else None
    found = [numbers.get(part) for part in parts]
    rounded = [round(number, 2) for number in found if isinstance(number, float)]
    return (term[0], *rounded) if len(rounded) == len(parts) else None


def _evaluate(terms: Sequence[str], workers: int, seconds: float) -> dict[str, Number | str]:
    """The number of each term; None for what the authors' code cannot read; a text where the evaluation did not end."""
    readable = {term: _readable(term) for term in terms}
    numbers: dict[str, Number | str] = {}
    asked = []
    for term, latex in readable.items():
        if latex is not None and _PLAIN_NUMBER.fullmatch(latex):
            numbers[term] = float(latex)
        elif latex is None:
            numbers[term] = None
        else:
            asked.append(term)
    replies = shared_pool().run([("value", str(readable[term])) for term in asked], workers, seconds)
    for term, (outcome, text) in zip(asked, replies, strict=True):
        ended = not text.startswith(("no verdict", "the verifier", "out of memory"))
        numbers[term] = float(text) if outcome == "value" else None if ended else text
    return numbers


def _readable(term: str) -> str | None:
    """`term` as modern latex2sympy reads what the authors' version read; None for what that version could not read."""
    text = term.strip().strip("$").strip().rstrip(".")
    if len(text) > _MAX_TERM and _PREFIX.match(text) is None:
        return None
    prefix = _PREFIX.match(text)
    if prefix:
        return prefix.group(1)
    text = _before_unopened_brace(text)
    if any(mark in text for mark in _UNREADABLE) or "e" in _COMMAND.sub("", text):
        return None
    if text.startswith("{") and text.endswith("}") and text.count("{") == 1:
        text = text[1:-1]
    return _MIXED.sub(r"\\cdot ", _PERCENT.sub(r"\\frac{\1}{100}", text)) or None


def _before_unopened_brace(text: str) -> str:
    depth = 0
    for place, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return text[:place]
    return text
