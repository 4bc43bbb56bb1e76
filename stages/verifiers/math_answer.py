"""Equality of two mathematical answers, read by stages/verifiers/answer_reader.py, compared by stages/verifiers/answer_equality.py.

Both are read to their last sign or not at all; what was not read is never compared."""

import mpmath

from stages.verifiers.answer_equality import same
from stages.verifiers.answer_nodes import SCALARS, Node
from stages.verifiers.answer_rationals import UndefinedError
from stages.verifiers.answer_reader import readings
from stages.verifiers.answer_tokens import UnreadableError
from stages.verifiers.answer_values import DIGITS, Point

Reply = tuple[str, str]


def equal(gold: str, answer: str) -> Reply:
    """("right" | "wrong" | "error", reason) for a gold answer and the content of a box.

    May run long on hostile text: call it in a process that can be killed."""
    try:
        expected = readings(gold)
    except UnreadableError as error:
        return "error", f"the gold answer {gold[:80]!r} cannot be read: {error}"
    try:
        found = readings(answer)
    except UnreadableError as error:
        return "wrong", f"the boxed answer cannot be read: {error}"
    try:
        if any(_same(one, other) for one in expected for other in found):
            return "right", f"equal as {kind(expected[0])}"
    except UndefinedError as error:
        return "error", f"the gold answer {gold[:80]!r} has no value: {error}"
    return "wrong", f"not equal: {kind(expected[0])} expected, {kind(found[0])} found"


def readable(gold: str) -> Reply:
    """("right", kind) where a gold answer can be read and has a value, else ("error", reason)."""
    try:
        expected = readings(gold)
        for node in (part for one in expected for part in one.walk() if part.head in SCALARS and part.head != "dots"):
            with mpmath.workdps(DIGITS):
                _ = None if any(part.head == "dots" for part in node.walk()) or node.text == "oo" else Point(0).value(node)
    except (UnreadableError, UndefinedError) as error:
        return "error", f"the gold answer {gold[:80]!r} cannot be read: {error}"
    return "right", kind(expected[0])


def kind(node: Node) -> str:
    """What kind of answer a reading is, in a word or two."""
    if node.head == "group":
        return "interval or tuple"
    if node.head == "words":
        return "text"
    return {
        "number": "number",
        "list": "list",
        "set": "set",
        "relation": "relation",
        "matrix": "matrix",
        "quantity": "quantity",
    }.get(node.head, "union" if node.head in ("union", "intersection", "difference") else "expression")


def value(latex: str) -> Reply:
    """("value", the number that the LaTeX text evaluates to, 15 digits), or ("none", reason) without a real number."""
    import sympy
    from latex2sympy2_extended import latex2sympy

    expression = latex2sympy(latex)
    if not isinstance(expression, sympy.Expr) or expression.free_symbols:
        return "none", "not a number"
    number = expression.evalf(15)
    return ("value", str(number)) if number.is_Float or number.is_Integer else ("none", "not a real number")


def _same(gold: Node, answer: Node) -> bool:
    try:
        return same(gold, answer)
    except UnreadableError:
        return False
