"""Whether two equations or inequalities are the same: moved terms, sides that change places, a factor."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import mpmath

from stages.verifiers.answer_intervals import COMPARISONS
from stages.verifiers.answer_nodes import Node
from stages.verifiers.answer_rationals import UndefinedError
from stages.verifiers.answer_values import DIGITS, POINTS, SURE, Point, close

_WHOLE = frozenset(["number", "symbol", "add", "multiply", "negate", "power"])
_MOST = 4
"""Comparisons of a chain that may stand in another order."""
Same = Callable[[Node, Node], bool]


def same_relation(gold: Node, answer: Node, same: Same) -> bool:
    """Whether each comparison of `gold` is one of `answer`, and the other way. `same` compares sets and other kinds of sides."""
    mine, theirs = _comparisons(gold), _comparisons(answer)
    if len(mine) != len(theirs) or len(mine) > _MOST:
        return False
    return any(all(_same(a, b, same) for a, b in zip(mine, order, strict=True)) for order in permutations(theirs))


def _comparisons(node: Node) -> list[tuple[str, Node, Node]]:
    """The comparisons of a chain, each with < or <= where it has > or >=."""
    found = []
    for operator, left, right in zip(node.text.split(), node.args, node.args[1:], strict=False):
        turned = operator in (">", ">=")
        found.append((COMPARISONS[operator], right, left) if turned else (operator, left, right))
    return found


def _same(one: tuple[str, Node, Node], other: tuple[str, Node, Node], same: Same) -> bool:
    if one[0] != other[0]:
        return False
    pairs = ((one[1], other[1]), (one[2], other[2]))
    try:
        if all(same(a, b) for a, b in pairs):
            return True
        turned = one[0] in ("=", "!=", "~") and all(same(a, b) for a, b in ((one[1], other[2]), (one[2], other[1])))
        return turned or _same_difference(one, other)
    except ValueError:
        return False


def _same_difference(one: tuple[str, Node, Node], other: tuple[str, Node, Node]) -> bool:
    """Whether left minus right is the same up to a factor: a positive one of inequalities, any of equations, but not one that
    an equation of whole numbers only was multiplied by."""
    with mpmath.workdps(DIGITS):
        factors = [_factor(one[1:], other[1:], number) for number in range(POINTS)]
        known = [factor for factor in factors if factor is not None]
        if len(known) < 2 or known[0] == 0 or not all(close(known[0], factor, SURE // 2) for factor in known):
            return False
        if one[0] in ("<", "<="):
            return bool(mpmath.im(known[0]) == 0 and mpmath.re(known[0]) > 0)
        whole = all(part.head in _WHOLE for side in (*one[1:], *other[1:]) for part in side.walk())
        return not whole or close(abs(known[0]), mpmath.mpf(1), SURE // 2)


def _factor(one: tuple[Node, ...], other: tuple[Node, ...], number: int) -> Any:
    """(left - right) of `other` over that of `one` at a point; None where there is none."""
    try:
        differences = [Point(number).value(left) - Point(number).value(right) for left, right in (one, other)]
        return differences[1] / differences[0]
    except (UndefinedError, ZeroDivisionError):
        return None
