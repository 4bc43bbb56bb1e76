r"""The grader of Qwen2.5-Math's evaluation harness, re-implemented: what many published scores of MATH-500 were judged by.

Facts from github.com/QwenLM/Qwen2.5-Math, evaluation/grader.py (commit 29a82a8), and its published verdicts. Its three parsers of
LaTeX are replaced by latex2sympy2-extended, read as its first parser reads: the part before a comma, and pi, e and i as unknowns.
It may run long on hostile text: call it in a process that can be killed."""

import math
import re
from functools import partial
from typing import Any

Reply = tuple[str, str]
_MATRIX = re.compile(r"\\begin\{[pb]matrix\}(.*)\\end\{[pb]matrix\}", re.DOTALL)
_LIST = re.compile(r"[(\[].+[)\]]")
_THOUSANDS = re.compile(r"(?<=\d),\d{3}(?!\d)")
_RELATIVE = 1e-4


def qwen(gold: str, answer: str) -> Reply:
    """("right" | "wrong", reason) by the grader of Qwen2.5-Math's harness, of two answers in its normal form."""
    right = _equal(answer, gold)
    return ("right", "equal by Qwen's grader") if right else ("wrong", "not equal by Qwen's grader")


def _equal(answer: str, gold: str) -> bool:
    if answer.strip().lower() == gold.strip().lower():
        return True
    if gold in tuple("ABCDE") and _letter(answer) == gold:
        return True
    one, other = _value(answer), _value(gold)
    if one is not None and other is not None:
        return any(_close(one, other * factor) for factor in (0.01, 1, 100))
    return bool(answer) and _equal_parts(answer.strip(), gold.strip())


def _equal_parts(answer: str, gold: str) -> bool:
    if "pmatrix" in answer and "pmatrix" not in gold:
        gold = ", ".join(
            "\\begin{pmatrix}" + row.strip("{}").replace(",", "\\") + "\\end{pmatrix}" for row in re.findall(r"\{.*,.*\}", gold)
        )
    other_kind = any(
        answer[:1] + answer[-1:] == kind and gold[:1] + gold[-1:] != swap for kind, swap in (("[]", "()"), ("()", "[]"))
    )
    one, other = (text.strip("[]()") if other_kind else text for text in (answer, gold))
    if re.sub("[{}()]", "", one).lower() == re.sub("[{}()]", "", other).lower():
        return True
    if _LIST.match(answer) and _LIST.match(gold):
        return _all_equal(answer[1:-1].split(","), gold[1:-1].split(","))
    matrices = [found for found in (_MATRIX.fullmatch(answer), _MATRIX.fullmatch(gold)) if found]
    if len(matrices) == 2:
        rows, others = ([row.split("&") for row in found[1].split("\\\\") if row.strip()] for found in matrices)
        return len(rows) == len(others) and all(_all_equal(*pair) for pair in zip(rows, others, strict=True))
    if answer.count("=") == gold.count("=") == 1:
        one_side, other_side = _difference(answer), _difference(gold)
        return _same_value(one_side, other_side) or _same_value(f"-({one_side})", other_side)
    if _short_equation(answer) and "=" not in gold:
        return _equal(answer.split("=")[1], gold)
    if _short_equation(gold) and "=" not in answer:
        return _equal(answer, gold.split("=")[1])
    return _same_value(answer, gold)


def _all_equal(answers: list[str], golds: list[str]) -> bool:
    return len(answers) == len(golds) and all(_equal(*pair) for pair in zip(answers, golds, strict=True))


def _difference(equation: str) -> str:
    left, _, right = equation.partition("=")
    return f"{left.strip()} - ({right.strip()})"


def _short_equation(text: str) -> bool:
    return text.count("=") == 1 and len(text.partition("=")[0].strip()) <= 2


def _letter(answer: str) -> str:
    text = answer.strip("\n").rstrip(".").rstrip("/").strip(" ").lstrip(":")
    found = re.findall(r"\b([A-E])\b", text.upper())
    return found[-1] if found else text.strip().strip(".").rstrip("./")


def _value(text: str) -> float | None:
    """The number that a text is, thousands marks taken off and percentages as shares."""
    text = text.replace(",", "")
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(text[:-1].removesuffix("\\")) / 100 if text.endswith("%") else None
    except ValueError:
        return None


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_RELATIVE)


def _same_value(answer: str, gold: str) -> bool:
    """Whether two expressions print the same, differ by 0 for sympy, or are numbers within a relative error of 1e-4."""
    import sympy

    one, other = _parsed(answer), _parsed(gold)
    if str(one) == str(other):
        return True
    if isinstance(one, str) or isinstance(other, str):
        return False
    for rule in (
        lambda: one == other,
        lambda: bool(one.equals(other)),
        lambda: sympy.simplify(one - other) == 0,
        lambda: bool(abs(one.lhs - one.rhs).equals(abs(other.lhs - other.rhs))),
        lambda: _close(float(sympy.N(one)), float(sympy.N(other))),
    ):
        try:
            if rule():
                return True
        except Exception:  # noqa: BLE001 - the harness goes on to its next rule whatever sympy raises
            continue
    return False


def _parsed(text: str) -> Any:
    """A sympy expression, or the text itself where nothing reads it."""
    from latex2sympy2_extended import latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig
    from sympy import E, I, Symbol, pi
    from sympy.parsing.sympy_parser import parse_expr

    unknowns = {pi: Symbol("pi"), I: Symbol("i"), **({} if "\\exp" in text else {E: Symbol("e")})}
    cased = ConversionConfig(lowercase_symbols=False)
    product = re.sub(r"(?<=\d)\\frac", r"\\cdot\\frac", text)
    for read in (partial(latex2sympy, conversion_config=cased), parse_expr):
        for form in (product.replace("\\\\", "\\"), product):
            try:
                return read(_before_comma(form)).subs(unknowns)
            except Exception:  # noqa: BLE001 - the next parser has a try
                continue
    return text


def _before_comma(text: str) -> str:
    """The text up to its first comma outside of brackets that marks no thousands."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0 and not _THOUSANDS.match(text, place):
            return text[:place]
    return text
