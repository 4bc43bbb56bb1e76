r"""Graders of other harnesses for a boxed mathematical answer, re-implemented: what published scores of MATH-500 were judged by.

prm800k: github.com/openai/prm800k, prm800k/grading/grader.py (commit 00811d6) over Hendrycks' normal form of MATH
(github.com/hendrycks/math, math_equivalence.py); its conversion from LaTeX by pylatexenc is replaced by the commands below.
math-verify: the library of that name. Both may run long on hostile text: call them in a process that can be killed."""

import re

Reply = tuple[str, str]
_UNITS = "degree|cm|centimeter|meter|mile|second|minute|hour|day|week|month|year|foot|feet|inch|yard"
_UNIT = re.compile(rf"(?:{_UNITS})(?:es)?s? *(?:\^[0-9]+)?")
_TEXT = re.compile(r"\\text\{(.+?)\}")
_FRACTION = re.compile(r"-?[0-9]+.?/0*[1-9][0-9]*.?")
_THOUSANDS = re.compile(r"(\d),(\d\d\d)(?=$|\D)")
_GROUPED = re.compile(r"\\(frac|sqrt|text|mathrm|mathbf|textbf|mbox)\s*\{([^{}]*)\}(?:\s*\{([^{}]*)\})?")
_NEVER_EVALUATED = re.compile(r"\^[{(]|\^[0-9]+\^|\^[0-9][0-9]+|__|\.[a-zA-Z]")
_SIGNS = {
    "pi": "pi",
    "infty": "inf",
    "cup": "U",
    "cdot": "*",
    "times": "*",
    "pm": "±",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
}
_WORDS = (("\\%", "%"), ("\\$", ""), ("$", ""), ("%", ""), (" or ", " , "), (" and ", " , "))
_LARGE = (("million", "*10^6"), ("billion", "*10^9"), ("trillion", "*10^12"))
_REMOVED = ("\n", "\\!", "\\left", "\\right", "^{\\circ}", "^\\circ", "\\$", "\\%", "%")
_BRACKETS = "()[]"


def math_verify(gold: str, answer: str) -> Reply:
    """("right" | "wrong" | "error", reason) as the library compares a gold answer with the content of a box."""
    from math_verify import parse, verify

    expected = parse(f"\\boxed{{{gold}}}", parsing_timeout=None)
    if not expected:
        return "error", f"math-verify cannot read the gold answer {gold[:80]!r}"
    found = parse(f"\\boxed{{{answer}}}", parsing_timeout=None)
    right = bool(found) and verify(expected, found, timeout_seconds=None)
    return ("right", "equal by math-verify") if right else ("wrong", "not equal by math-verify")


def prm800k(gold: str, answer: str) -> Reply:
    """("right" | "wrong", reason) by PRM800K's grader."""
    if hendrycks_form(gold) == hendrycks_form(answer):
        return "right", "equal in Hendrycks' normal form"
    expected, found = _prm800k_form(gold), _prm800k_form(answer)
    if expected == found:
        return "right", "equal in PRM800K's normal form"
    parts, others = _parts(expected), _parts(found)
    brackets = len(parts) > 1 and (expected[:1] != found[:1] or expected[-1:] != found[-1:])
    if not found or brackets or len(parts) != len(others):
        return "wrong", "other brackets or another number of parts by PRM800K's grader"
    right = all(_same_part(one, other) for one, other in zip(parts, others, strict=True))
    return ("right", "equal by PRM800K's grader") if right else ("wrong", "not equal by PRM800K's grader")


def hendrycks_form(answer: str) -> str:
    """The normal form of MATH answers as text: no spaces, units, degrees or left sides of at most two letters; plain fractions."""
    whole = _TEXT.fullmatch(answer.strip())
    text = whole[1] if whole else answer.strip()
    text = re.sub(r"\\[td]frac", r"\\frac", text.replace("\\\\", "\\"))
    for mark in _REMOVED:
        text = text.replace(mark, "")
    head, unit, _ = text.partition("\\text{ ")
    text = head if unit else text
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    text = f"0{text}" if text.startswith(".") else text
    left, equals, right = text.partition("=")
    text = right if equals and len(left.strip()) <= 2 and "=" not in right else text
    text = re.sub(r"\\sqrt([^{\\])", r"\\sqrt{\1}", text.replace(" ", ""))
    text = re.sub(r"\\frac([^{\\])([^{\\])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac([^{\\])\{", r"\\frac{\1}{", text)
    text = "\\frac{1}{2}" if text == "0.5" else text
    return re.sub(r"(-?[0-9]+)/(-?[0-9]+)", r"\\frac{\1}{\2}", text) if re.fullmatch(r"-?[0-9]+/-?[0-9]+", text) else text


def _prm800k_form(answer: str) -> str:
    whole = _TEXT.fullmatch(answer)
    text = whole[1] if whole else answer
    for old, new in (*_WORDS, *_LARGE):
        text = text.replace(old, new)
    text = re.sub(r"\^ *\\circ", "", _UNIT.sub("", text))
    text = text[1:-1] if text[:1] == "{" and text[-1:] == "}" else text
    text = re.sub(r",\\! *", "", text)
    text = _as_integer(text) or text
    text = _in_signs(text) if "\\" in text else text
    text = re.sub("([0-9]) +([0-9])", r"\1+\2", re.sub("- *", "-", text))
    text = text.replace(" ", "").replace("{", "").replace("}", "").lower()
    return _as_integer(_without_thousands(text)) or text


def _in_signs(text: str) -> str:
    """LaTeX as text: a/b, sqrt(a), signs; the argument alone of other commands."""
    text = re.sub(r"\\[td]?frac", r" \\frac", re.sub(r"\\color\s*\{[^{}]*\}", "", text))
    while found := _GROUPED.search(text):
        command, first, second = found.groups()
        inside = f"{first}/{second or ''}" if command == "frac" else f"sqrt({first})" if command == "sqrt" else first
        rest = f"{{{second}}}" if command != "frac" and second is not None else ""
        text = text[: found.start()] + inside + rest + text[found.end() :]
    return re.sub(r"\\([a-zA-Z]+) ?", lambda name: _SIGNS.get(name[1], ""), text).replace("\\", "").strip()


def _without_thousands(text: str) -> str:
    while (shorter := _THOUSANDS.sub(r"\1\2", text)) != text:
        text = shorter
    return text


def _as_integer(text: str) -> str | None:
    """The integer that a text of a number is within 1e-7 of."""
    try:
        value = float(text)
        return str(round(value)) if abs(value - round(value)) <= 1e-7 else None
    except (ValueError, OverflowError):
        return None


def _parts(text: str) -> list[str]:
    text = _without_thousands(text)
    inner = text[1:-1]
    if len(text) > 2 and text[0] in _BRACKETS and text[-1] in _BRACKETS and not any(mark in inner for mark in _BRACKETS):
        return [part.strip() for part in inner.split(",")]
    return [text] if text else []


def _same_part(gold: str, answer: str) -> bool:
    if _FRACTION.fullmatch(gold) and _FRACTION.fullmatch(answer):
        return gold == answer  # an unreduced fraction is wrong
    if (_as_integer(gold) is None) != (_as_integer(answer) is None):
        return False
    return _vanishes(f"({gold})-({answer})")


def _vanishes(difference: str) -> bool:
    """Whether sympy simplifies a difference to 0; never for texts of more than two letters, or powers that may be large."""
    letters = {letter for letter in difference.replace("sqrt", "").replace("frac", "") if letter.isalpha()}
    if len(letters) > 2 or _NEVER_EVALUATED.search(difference):
        return False
    import sympy
    from sympy.parsing import sympy_parser as parser

    rules = (*parser.standard_transformations, parser.implicit_multiplication_application)
    try:
        return bool(sympy.simplify(parser.parse_expr(difference.replace("^", "**"), transformations=rules)) == 0)
    except Exception:  # noqa: BLE001 - a text that is no expression is not equal, as in the published grader
        return False
