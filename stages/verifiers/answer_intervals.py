"""Sets of real numbers: intervals, their unions, and inequalities of one variable, as sorted pieces."""

from typing import Any, NamedTuple

import mpmath

from stages.verifiers.answer_nodes import Node
from stages.verifiers.answer_rationals import UndefinedError
from stages.verifiers.answer_values import DIGITS, Point, close

COMPARISONS = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}
"""Each comparison, and what it is when its sides change places."""
_ALL_REAL = frozenset(("all R", "all real numbers", "real numbers", "all reals", "all real"))


class Piece(NamedTuple):
    """An interval; a point when both ends are the same."""

    low: Any
    high: Any
    low_open: bool
    high_open: bool


Pieces = list[Piece]
_LINE = Piece(-mpmath.inf, mpmath.inf, True, True)


def is_interval(node: Node) -> bool:
    """Whether a group may be an interval: two values in round or square brackets."""
    return node.head == "group" and len(node.args) == 2 and node.text[0] in "([" and node.text[-1] in ")]"


def are_intervals(node: Node) -> bool:
    """Whether a list holds intervals that cannot be points: with a square bracket or an infinite end."""
    surely = any(one.text != "( )" for one in node.args) or Node("constant", "oo") in node.walk()
    return node.head == "list" and surely and all(is_interval(one) for one in node.args)


def variable_of(node: Node) -> str | None:
    """The variable that an inequality bounds, or the inequalities of a list do; None for anything else."""
    if node.head == "list":
        found = {variable_of(one) for one in node.args}
        return found.pop() if len(found) == 1 else None
    if node.head == "relation" and set(node.text.split()) <= COMPARISONS.keys():
        names = [one.args[0].text if one.head == "absolute" else one.text for one in node.args if _bounded_by(one)]
        others = [one for one in node.args if not _bounded_by(one)]
        if len(names) == 1 and not any(part.head in ("symbol", "call", "words") for one in others for part in one.walk()):
            return names[0]
    return None


def pieces_of(node: Node) -> Pieces | None:
    """The real numbers that `node` describes, sorted and merged; None where it describes none. Raises UndefinedError."""
    with mpmath.workdps(DIGITS):
        found = _pieces(node)
        return None if found is None else _merged(found)


def same_pieces(one: Pieces, other: Pieces) -> bool:
    """Whether both hold the same numbers."""
    with mpmath.workdps(DIGITS):
        return len(one) == len(other) and all(
            close(a.low, b.low) and close(a.high, b.high) and a[2:] == b[2:] for a, b in zip(one, other, strict=True)
        )


def _pieces(node: Node) -> Pieces | None:
    if is_interval(node):
        low, high = (_number(one) for one in node.args)
        if low is None or high is None:
            return None
        return [Piece(low, high, node.text[0] == "(" or low == -mpmath.inf, node.text[-1] == ")" or high == mpmath.inf)]
    if node.head == "set":
        points = [_number(one) for one in node.args]
        return None if any(point is None for point in points) else [Piece(point, point, False, False) for point in points]
    if node.head == "words":
        return [_LINE] if node.text in _ALL_REAL else None
    if node.head == "list" and (variable_of(node) or all(is_interval(one) for one in node.args)):
        return _listed(node)
    if node.head == "relation" and variable_of(node):
        return _inequality(node)
    if node.head in ("union", "intersection", "difference"):
        found = [_pieces(one) for one in node.args]
        several = [_merged(part) for part in found if part is not None]
        if len(several) < len(found):
            return None
        if node.head == "union":
            return [piece for part in several for piece in part]
        return _fold(several, _common if node.head == "intersection" else lambda one, other: _common(one, _complement(other)))
    return None


def _listed(node: Node) -> Pieces | None:
    """Intervals or inequalities of a list: their union; what all of them hold, where the union would be the whole line."""
    found = [_pieces(one) for one in node.args]
    parts = [_merged(one) for one in found if one is not None]
    if len(parts) < len(found):
        return None
    both, either = _fold(parts, _common), [piece for part in parts for piece in part]
    whole = all(one.head == "relation" for one in node.args) and _merged(either) == [_LINE] and node.text != "or"
    return both if whole or any("!=" in one.text for one in node.args) else either


def _fold(parts: list[Pieces], work: Any) -> Pieces:
    found = parts[0]
    for part in parts[1:]:
        found = work(found, part)
    return found


def _inequality(node: Node) -> Pieces:
    operators = node.text.split()
    found: Pieces = [_LINE]
    place = next(number for number, one in enumerate(node.args) if _bounded_by(one))
    for number, operator in enumerate(operators):
        left, right = node.args[number : number + 2]
        if number == place:
            found = _common(found, _bound(left, operator, right))
        elif number + 1 == place:
            found = _common(found, _bound(right, COMPARISONS[operator], left))
        else:
            raise UndefinedError("a chain of inequalities with the variable at one end")
    return found


def _bound(variable: Node, operator: str, bound: Node) -> Pieces:
    value = _number(bound)
    if value is None:
        raise UndefinedError("a bound that is no number")
    if variable.head == "absolute":
        inner, outer = variable.args[0], Node("negate", "", (bound,))
        sides = (_bound(inner, operator, bound), _bound(inner, COMPARISONS[operator], outer))
        return _common(*sides) if "<" in operator else [*sides[0], *sides[1]]
    if operator == "!=":
        return _complement([Piece(value, value, False, False)])
    if operator in ("<", "<="):
        return [Piece(-mpmath.inf, value, True, operator == "<")]
    return [Piece(value, mpmath.inf, operator == ">", True)]


def _bounded_by(node: Node) -> bool:
    return node.head == "symbol" or (node.head == "absolute" and node.args[0].head == "symbol")


def _number(node: Node) -> Any:
    if any(one.head in ("symbol", "call", "words", "relation", "group", "set", "list", "quantity") for one in node.walk()):
        return None
    value = Point(0).value(node)
    return None if mpmath.im(value) != 0 else mpmath.re(value)


def _empty(piece: Piece) -> bool:
    return bool(piece.low > piece.high or (piece.low == piece.high and (piece.low_open or piece.high_open)))


def _merged(pieces: Pieces) -> Pieces:
    """Sorted pieces that neither overlap nor touch."""
    found: Pieces = []
    for piece in sorted((one for one in pieces if not _empty(one)), key=lambda one: (one.low, one.low_open)):
        last = found[-1] if found else None
        if last is None or piece.low > last.high or (piece.low == last.high and piece.low_open and last.high_open):
            found.append(piece)
        elif piece.high > last.high or (piece.high == last.high and not piece.high_open):
            found[-1] = Piece(last.low, piece.high, last.low_open, piece.high_open)
    return found


def _common(one: Pieces, other: Pieces) -> Pieces:
    found = []
    for a in one:
        for b in other:
            low = max((a.low, a.low_open), (b.low, b.low_open))
            high = min((a.high, not a.high_open), (b.high, not b.high_open))
            found.append(Piece(low[0], high[0], low[1], not high[1]))
    return _merged(found)


def _complement(pieces: Pieces) -> Pieces:
    found: Pieces = []
    low, low_open = -mpmath.inf, True
    for piece in _merged(pieces):
        found.append(Piece(low, piece.low, low_open, not piece.low_open))
        low, low_open = piece.high, not piece.high_open
    return _merged([*found, Piece(low, mpmath.inf, low_open, True)])
