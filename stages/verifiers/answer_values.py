"""Whether two values are the same: rational numbers exactly, other numbers to 500 digits, expressions at several points.

Two different analytic expressions agree at a random point with probability zero (for polynomials: Schwartz, J. ACM 27, 1980), so
a few points decide."""

import hashlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath

from stages.verifiers.answer_nodes import Node
from stages.verifiers.answer_rationals import (
    FLOAT_DIGITS,
    MAX_BITS,
    MAX_FACTORIAL,
    UndefinedError,
    decimal,
    exact,
    rounded,
    significant,
)
from stages.verifiers.answer_tokens import UnreadableError

DIGITS, SURE, BOUNDED_DIGITS = 600, 500, 25
"""Digits that are computed, that must agree, and that must agree where a sum or an integral is computed."""
POINTS = 5
"""Points at which expressions are compared: three positive, one negative, one mixed."""
_CALLS: dict[str, Callable[[Any], Any]] = {
    **{
        name: getattr(mpmath, name)
        for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "exp", "sign")
    },
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "arccot": mpmath.acot,
    "cis": mpmath.expj,
    "ln": mpmath.log,
    "log": mpmath.log,
    "lg": lambda value: mpmath.log(value, 10),
    "Re": mpmath.re,
    "Im": mpmath.im,
    "arg": mpmath.arg,
    "sgn": mpmath.sign,
}
_CIRCULAR = frozenset(("sin", "cos", "tan", "cot", "sec", "csc", "cis"))
_SEVERAL: dict[str, Callable[..., Any]] = {"max": max, "min": min}


class Point:
    """Values of expressions where every name has a number of its own."""

    def __init__(self, number: int) -> None:
        self.number, self.bounded = number, False

    def value(self, node: Node) -> Any:
        """The value as an mpmath number. Raises UndefinedError, UnreadableError."""
        rational = exact(node)
        if rational is not None:
            return mpmath.mpf(rational.numerator) / rational.denominator
        try:
            found = self._value(node)
        except (ZeroDivisionError, OverflowError, ValueError, TypeError) as error:
            if isinstance(error, UndefinedError | UnreadableError):
                raise
            raise UndefinedError(f"no value: {error}") from None
        if mpmath.isnan(found):
            raise UndefinedError("no value")
        return found

    def named(self, name: str) -> Any:
        """The number of a name at this point: between 1/2 and 5/2, negative at the last points."""
        seed = int.from_bytes(hashlib.sha256(f"{self.number} {name}".encode()).digest()[:12], "big")
        size = mpmath.mpf(seed) / (1 << 95) + 0.5
        return -size if self.number == 3 or (self.number == 4 and seed % 2) else size

    def _value(self, node: Node) -> Any:
        match node.head:
            case "symbol":
                return self.named(node.text)
            case "constant":
                return {"pi": mpmath.pi, "e": mpmath.e, "i": mpmath.mpc(0, 1), "oo": mpmath.inf}[node.text] * 1
            case "call":
                return self._call(node)
            case "bounded":
                return self._bounded(node.text)
        if node.head not in _OPERATIONS:
            raise UnreadableError(f"{node.head} inside an expression")
        return _OPERATIONS[node.head](*(self.value(one) for one in node.args))

    def _call(self, node: Node) -> Any:
        argument = node.args[0]
        if node.text in _CIRCULAR and argument.head == "degrees":
            return _CALLS[node.text](self.value(argument.args[0]) * mpmath.pi / 180)
        values = [self.value(one) for one in node.args]
        if node.text in _SEVERAL:
            return _SEVERAL[node.text](*values)
        if node.text in _CALLS:
            return _CALLS[node.text](values[0])
        if node.text in ("gcd", "lcm", "det"):
            raise UnreadableError(f"{node.text} of an expression")
        return self.named(f"{node.text}({', '.join(mpmath.nstr(value, 30) for value in values)})")

    def _bounded(self, latex: str) -> Any:
        """The value of a sum, product, integral or limit, which latex2sympy reads and sympy computes."""
        import sympy
        from antlr4 import Token
        from latex2sympy2_extended.latex2sympy2 import ConversionConfig, _Latex2Sympy

        reader = _Latex2Sympy(is_real=None, config=ConversionConfig(lowercase_symbols=False))
        parser = reader.create_parser(latex)
        tree = parser.math()
        elements = tree.set_elements()
        if parser.getTokenStream().LT(1).type != Token.EOF or not elements:
            raise UnreadableError("a sum or an integral that is not read to its end")
        found = reader.convert_set_elements(elements).doit()
        found = found.subs({symbol: sympy.Float(str(self.named(symbol.name)), 40) for symbol in found.free_symbols})
        number = sympy.N(found, 40)
        self.bounded = True
        real, imaginary = number.as_real_imag()
        if not (real.is_Float or real.is_Integer):
            raise UndefinedError("a sum or an integral without a value")
        return mpmath.mpf(str(real)) if imaginary == 0 else mpmath.mpc(str(real), str(imaginary))


def _root(radicand: Any, index: Any) -> Any:
    """The real root where there is one: of a negative number with an odd index."""
    if mpmath.im(radicand) == 0 and mpmath.re(radicand) < 0 and mpmath.isint(index) and int(index) % 2 == 1:
        return -mpmath.root(-mpmath.re(radicand), int(index))
    return mpmath.power(radicand, mpmath.mpf(1) / index)


def _raised(base: Any, exponent: Any) -> Any:
    if mpmath.isinf(base) or mpmath.isinf(exponent):
        raise UndefinedError("a power of infinity")
    if base != 0 and abs(exponent * mpmath.log(abs(base), 2)) > MAX_BITS:
        raise UndefinedError("a number that is too large to be computed")
    return mpmath.power(base, exponent)


def _factorial(value: Any) -> Any:
    if abs(value) > MAX_FACTORIAL:
        raise UndefinedError("a number that is too large to be computed")
    return mpmath.factorial(value)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda *values: sum(values[1:], values[0]),
    "negate": lambda value: -value,
    "multiply": lambda one, other: one * other,
    "divide": lambda one, other: one / other,
    "power": _raised,
    "root": _root,
    "factorial": _factorial,
    "binomial": mpmath.binomial,
    "absolute": abs,
    "floor": mpmath.floor,
    "ceiling": mpmath.ceil,
    "log": mpmath.log,
    "percent": lambda value: value / 100,
    "degrees": lambda value: value,
}


def close(one: Any, other: Any, digits: int = SURE) -> bool:
    """Whether two numbers agree in `digits` digits; infinities only with themselves."""
    if one == other:
        return True
    if mpmath.isinf(one) or mpmath.isinf(other):
        return False
    if one == 0 or other == 0:
        return bool(abs(one - other) < mpmath.mpf(10) ** -digits and digits == SURE and abs(one - other) < mpmath.mpf(10) ** -580)
    return bool(abs(one - other) <= max(abs(one), abs(other)) * mpmath.mpf(10) ** -digits)


def same_value(gold: Node, answer: Node) -> bool:
    """Whether two scalars are the same. Raises UndefinedError where the gold value is, UnreadableError."""
    if "dots" in {one.head for node in (gold, answer) for one in node.walk()}:
        return gold == answer
    one, other = exact(gold), _defined(answer)
    if one is not None and other is not None:
        return one == other or rounded(gold, one, answer, other) or rounded(answer, other, gold, one)
    with mpmath.workdps(DIGITS):
        if not _agree(gold, answer, 0):
            return _float_of(gold, answer)
        names = any(one.head in ("symbol", "call") for node in (gold, answer) for one in node.walk())
        return all(_agree(gold, answer, number) for number in range(1, POINTS)) if names else True


def _defined(answer: Node) -> Fraction | None:
    try:
        return exact(answer)
    except UndefinedError:
        return None


def _agree(gold: Node, answer: Node, number: int) -> bool:
    point = Point(number)
    try:
        expected = point.value(gold)
    except UndefinedError:
        if number:
            return True
        raise
    try:
        found = point.value(answer)
    except UndefinedError:
        return False
    return close(expected, found, BOUNDED_DIGITS if point.bounded else SURE)


def _float_of(gold: Node, answer: Node) -> bool:
    """Whether one of two numbers is a float that stands for the other."""
    for node, other in ((gold, answer), (answer, gold)):
        if decimal(node) is not None and significant(node) >= FLOAT_DIGITS and exact(other) is None:
            return _agree_in(node, other, FLOAT_DIGITS - 1)
    return False


def _agree_in(one: Node, other: Node, digits: int) -> bool:
    try:
        return close(Point(0).value(one), Point(0).value(other), digits)
    except UndefinedError:
        return False
