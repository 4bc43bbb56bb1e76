r"""Equality of two mathematical answers by math-verify 0.9.0, with its known traps closed.

Left to itself math-verify takes single letters for units ("2t" becomes 2, "a + b + c" becomes "a +"), ignores the
base of 52_8, falls back to comparing what is left of a text that it could not parse, and rounds to six decimals however
small the numbers are (0.0000001 is 0.0000003). Here units are removed only where the letters cannot be variables, bases are
compared, only sympy objects or plain words are compared, and numbers agree in six significant digits too."""

import math
import re
from collections.abc import Iterator
from typing import Any

from stages.verifiers.normal_forms import strip_latex, text_form

Reply = tuple[str, str]
DECIMALS, DIGITS = 6, 6
"""Decimals in which decimal fractions must agree (math-verify's own); significant digits, which ask for more of small ones."""
DOUBLE = 15
"""Significant digits of a float, the last two of them noise; decimals in which other numbers must agree (math-verify's own)."""
_LETTER_RUNS = re.compile(r"[a-zA-Z]+")
_TEXT_GROUP = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mbox)\s*\{[^{}]*\}(?:\^\s*\{?\s*[23]\s*\}?)?")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_LETTER_UNIT = re.compile(r"(?<=\d)\s+[mgshL]$")
_SHORT_UNITS = frozenset(
    ["cm", "mm", "km", "ft", "in", "yd", "mi", "sq", "kg", "mg", "oz", "lb", "ml", "mL", "hr", "min", "sec", "mph"]
)
_BASE = re.compile(r"\(?\s*([0-9A-Z]+)\s*\)?_\s*\{?\s*(?:\\text\{)?(\d+)\}?\}?")
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[ '-][^\W\d_]+)*|\(?[A-Z]\)?")


def equal(gold: str, answer: str) -> Reply:
    """("right" | "wrong" | "error", reason) for a gold answer and the content of a box.

    May run for ever or exhaust memory on hostile text: call it in a process that can be killed."""
    from math_verify import verify

    gold, answer = _tidy(gold), _tidy(answer)
    words = _words(gold)
    if words is not None:
        same = words == text_form(answer).strip("()")
        return ("right", "equal as words") if same else ("wrong", f"expected the words {words!r}")
    if _bases_differ(gold, answer):
        return "wrong", "the bases differ"
    has_variables = _has_variables(gold)
    expected = _read(gold, units=not has_variables)
    if not expected:
        return "error", f"the gold answer {gold[:80]!r} cannot be parsed"
    found = _read(answer, units=not (has_variables or _has_variables(answer)))
    if not found:
        return "wrong", "the boxed answer cannot be parsed"
    decimals = _decimals([*expected, *found])
    precision = max(DOUBLE, decimals - DIGITS + DOUBLE - 1)
    if verify(expected, found, float_rounding=decimals, numeric_precision=precision, timeout_seconds=None):
        return "right", "equal by math-verify"
    return "wrong", "not equal by math-verify"


def value(latex: str) -> Reply:
    """("value", the number that the LaTeX text evaluates to, 15 digits), or ("none", reason) without a real number."""
    import sympy
    from latex2sympy2_extended import latex2sympy

    expression = latex2sympy(latex)
    if not isinstance(expression, sympy.Expr) or expression.free_symbols:
        return "none", "not a number"
    number = expression.evalf(15)
    return ("value", str(number)) if number.is_Float or number.is_Integer else ("none", "not a real number")


def _read(answer: str, units: bool) -> list[Any]:
    """The sympy objects that math-verify reads in `answer`; nothing undefined, no leftover strings."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    rules = NormalizationConfig(units=units, malformed_operators=True, nits=True, boxed="all")
    configs = [LatexExtractionConfig(normalization_config=rules), ExprExtractionConfig()]
    found = parse(f"${answer}$", configs, parsing_timeout=None)
    return [item for item in found if not isinstance(item, str) and not _undefined(item)]


def _decimals(items: list[Any]) -> int:
    """Decimals that hold DIGITS significant digits of the smallest number in `items`, at least DECIMALS."""
    smallest = min((size for item in items for size in _sizes(item)), default=1.0)
    return max(DECIMALS, DIGITS - 1 - math.floor(math.log10(smallest)))


def _sizes(item: Any) -> Iterator[float]:
    """Absolute values of the numbers in a sympy object, but for those that are zero, infinite or no float."""
    import sympy

    if isinstance(item, sympy.Expr) and item.is_number:
        size = abs(item.evalf(DOUBLE))
        if size.is_Float and 0 < float(size) < math.inf:
            yield float(size)
    else:
        for part in item.flat() if isinstance(item, sympy.MatrixBase) else item.args:
            yield from _sizes(part)


def _undefined(item: Any) -> bool:
    import sympy

    return bool(item.has(sympy.nan, sympy.zoo))


def _tidy(answer: str) -> str:
    """One line, without dollar signs around it, a closing full stop or comma, or ",\\!" as a thousands separator."""
    line = " ".join(answer.replace(",\\!", "").split()).strip("$ ")
    return line.rstrip(".,").strip()


def _words(answer: str) -> str | None:
    r"""The words of an answer that is a name or a phrase (\text{Evelyn}, "no solution", "(C)"), else None."""
    bare = strip_latex(answer)
    if not _WORDS.fullmatch(bare):
        return None
    is_text = "\\text" in answer or "\\mathrm" in answer or re.search(r"[^\W\d_]{4}", bare) or len(bare) == 3
    return text_form(bare).strip("()") if is_text else None


def _has_variables(answer: str) -> bool:
    """Whether letters outside of commands and text groups are variables: short runs that are no unit."""
    bare = _LETTER_UNIT.sub("", _COMMAND.sub(" ", _TEXT_GROUP.sub("", answer)))
    return any(len(run) <= 3 and run not in _SHORT_UNITS for run in _LETTER_RUNS.findall(bare))


def _bases_differ(gold: str, answer: str) -> bool:
    bases = [_BASE.fullmatch(text) for text in (gold, answer)]
    return all(bases) and len({found.group(2) for found in bases if found}) == 2
