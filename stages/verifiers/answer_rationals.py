"""Rational numbers that an answer writes, exactly, and decimal fractions that stand for one.

A decimal fraction with six decimals or more is a rounded rational number that has no end, never a rounded root; one of 15
significant digits is a float, which is as good as what it stands for."""

import math
from fractions import Fraction

from stages.verifiers.answer_nodes import Node

MAX_BITS, MAX_FACTORIAL = 400_000, 20_000
FLOAT_DIGITS, ROUNDED_DECIMALS = 15, 6


class UndefinedError(ValueError):
    """The expression has no value: a division by zero, a number too large to be computed."""


def exact(node: Node) -> Fraction | None:
    """The rational number that `node` writes by rational operations, else None. Raises UndefinedError."""
    parts = [exact(one) for one in node.args]
    if any(part is None for part in parts) and node.head != "number":
        return None
    args = [part for part in parts if part is not None]
    match node.head:
        case "number":
            return Fraction(node.text)
        case "repeating":
            return _repeating(node.text)
        case "add":
            return sum(args, Fraction(0))
        case "negate":
            return -args[0]
        case "multiply":
            return args[0] * args[1]
        case "divide":
            return args[0] / _divisor(args[1])
        case "power":
            return _power(*args)
        case "percent":
            return args[0] / 100
        case "degrees":
            return args[0]
        case "absolute":
            return abs(args[0])
        case "floor" | "ceiling":
            return Fraction(args[0].__floor__() if node.head == "floor" else args[0].__ceil__())
        case "factorial" | "binomial":
            return _counted(node.head, args)
    return None


def _repeating(text: str) -> Fraction:
    whole, digits, period = text.split(" ")
    tail = Fraction(int(period), 10 ** len(period) - 1) / Fraction(10) ** len(digits)
    return Fraction(f"{whole}.{digits or '0'}") + tail


def _divisor(value: Fraction) -> Fraction:
    if value == 0:
        raise UndefinedError("a division by zero")
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1:
        return None
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * bits > MAX_BITS and base not in (0, 1, -1):
        raise UndefinedError("a number that is too large to be computed")
    return _divisor(base) ** int(exponent) if exponent < 0 else base ** int(exponent)


def _counted(head: str, args: list[Fraction]) -> Fraction | None:
    if any(one.denominator != 1 or one < 0 for one in args):
        return None
    if any(one > MAX_FACTORIAL for one in args[:1]):
        raise UndefinedError("a number that is too large to be computed")
    return Fraction(math.factorial(int(args[0])) if head == "factorial" else math.comb(int(args[0]), int(args[1])))


def decimal(node: Node) -> str | None:
    """The digits behind the point of a decimal fraction, else None."""
    while node.head in ("negate", "percent"):
        node = node.args[0]
    return node.text.partition(".")[2] or None if node.head == "number" else None


def rounded(node: Node, value: Fraction, other: Node, target: Fraction) -> bool:
    """Whether `node` is a decimal fraction that stands for `target`: its first digits, or a float."""
    digits = decimal(node)
    if digits is None or value == 0 or target == 0:
        return False
    if significant(node) >= FLOAT_DIGITS:
        return bool(abs(value - target) <= abs(target) / Fraction(10) ** (FLOAT_DIGITS - 1))
    if len(digits) < ROUNDED_DECIMALS or significant(node) < ROUNDED_DECIMALS or decimal(other) is not None or _ends(target):
        return False
    return abs(value - target) < Fraction(1, 10 ** (len(digits) + (2 if node.head == "percent" else 0)))


def significant(node: Node) -> int:
    while node.args:
        node = node.args[0]
    return len(node.text.replace(".", "").lstrip("0"))


def _ends(value: Fraction) -> bool:
    """Whether the decimal fraction of `value` has an end."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
