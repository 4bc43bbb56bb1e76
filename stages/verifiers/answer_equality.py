r"""Whether two read answers are the same, kind by kind. Values are compared by stages/verifiers/answer_values.py.

What an answer may leave out or add: the name of what it is (x = 5), a unit, a percent sign. Order counts in groups, not in
lists and sets. Brackets count, but for a list written in round brackets."""

from collections.abc import Callable, Sequence

from stages.verifiers.answer_forms import entries, has_matrix, one_name, own_names, percent_of, size_of
from stages.verifiers.answer_intervals import are_intervals, is_interval, pieces_of, same_pieces, variable_of
from stages.verifiers.answer_nodes import SCALARS, Node, brackets, has_symbol, is_label, is_name, written
from stages.verifiers.answer_rationals import exact
from stages.verifiers.answer_relations import same_relation
from stages.verifiers.answer_tokens import UnreadableError
from stages.verifiers.answer_values import same_value

_NOTHING = frozenset(["no solution", "no solutions", "none", "empty set", "no real solution", "no real solutions", "the empty set"])
_NEAR = 0.01
"""How far apart the two sides of an approximation may be, relative to the second."""


def same(gold: Node, answer: Node) -> bool:
    """Whether `answer` says what `gold` says. Raises UndefinedError where the gold answer has no value, UnreadableError."""
    if gold == answer:
        return True
    if gold.head == "relation" and answer.head == "relation":
        return _same_relations(gold, answer)
    if answer.head == "relation" and not variable_of(answer):
        values = stated(answer, gold)
        return values is not None and all(same(gold, value) for value in values)
    if gold.head == "relation" and not variable_of(gold):
        value = named_value(gold)
        return value is not None and same(value, answer)
    return _same_sets(gold, answer) or _same_kind(gold, answer)


def named_value(gold: Node) -> Node | None:
    """The value of a gold answer of the form x = 5, which may be answered by 5 alone; None for any other relation."""
    if set(gold.text.split()) <= {"=", "~", "in"} and is_label(gold.args[0]) and all(one.head != "words" for one in gold.args[1:]):
        return gold.args[-1]
    if gold.text == "=" and is_label(gold.args[1]) and not has_symbol(gold.args[0]):
        return gold.args[0]
    return None


def stated(answer: Node, gold: Node) -> list[Node] | None:
    """The sides of an answer's equation that must all equal a gold answer that is none; None where it states no value.

    A name before the equals sign says what is found: x = 5, m + n = 204, 25 = 5^2."""
    operators = set(answer.text.split())
    if not operators <= {"=", "~", "in"}:
        return None
    sides = [side for side in answer.args if not (is_label(side) and side != gold)]
    if not any(has_symbol(side) for side in sides[-1:]) and not has_symbol(gold):
        values = [side for side in sides if not has_symbol(side)]
        if len(values) < len(sides) and any(exact(side) == 0 for side in values):
            return None  # an equation in its normal form states no value
        sides = values
    if not sides:
        return [answer.args[-1]]
    if "~" in operators and len(sides) > 1:
        return [sides[0]] if _near(sides) and same(gold, sides[0]) else [sides[-1]] if _near(sides) else None
    return sides


def _near(sides: Sequence[Node]) -> bool:
    numbers = [exact(side) for side in sides]
    if any(number is None for number in numbers):
        return True
    first, *others = [float(number) for number in numbers if number is not None]
    return all(abs(first - other) <= _NEAR * abs(other) for other in others)


def _same_relations(gold: Node, answer: Node) -> bool:
    if variable_of(gold) and variable_of(gold) == variable_of(answer):
        one, other = pieces_of(gold), pieces_of(answer)
        if one is not None and other is not None:
            return same_pieces(one, other)
    for one_of, bound in ((gold, answer), (answer, gold)):
        if one_of.text == "in" and one_of.args[0].head == "symbol" and variable_of(bound) == one_of.args[0].text:
            return _same_sets(one_of.args[-1], bound)
    mine, theirs = named_value(gold), named_value(answer)
    if mine is not None and theirs is not None and _same_names(gold.args[0], answer.args[0]):
        return same(mine, theirs) and all(same(mine, side) for side in answer.args[1:-1])
    return same_relation(gold, answer, same)


def _same_names(gold: Node, answer: Node) -> bool:
    """Whether two names may stand for one quantity: words and a letter do, two letters do not."""
    return gold == answer or {gold.head, answer.head} in ({"words", "symbol"}, {"call", "symbol"})


def _same_sets(gold: Node, answer: Node) -> bool:
    """Whether both describe the same real numbers, in the form of intervals or inequalities."""
    described = [
        is_interval(node) or node.head in ("union", "intersection", "difference") or variable_of(node) for node in (gold, answer)
    ]
    named = [node.head == "set" or node.text.startswith(("all ", "real ")) for node in (gold, answer)]
    numbers = [one or other for one, other in zip(described, named, strict=True)]
    if any(are_intervals(node) for node in (gold, answer)) and "union" in (gold.head, answer.head):
        numbers = [True, True]
    if not all(numbers) or not any(described) or (gold.head == answer.head == "group"):
        return False
    try:
        one, other = pieces_of(gold), pieces_of(answer)
    except UnreadableError:
        return False
    return one is not None and other is not None and same_pieces(one, other)


def _same_kind(gold: Node, answer: Node) -> bool:
    for heads, compare in _KINDS:
        if gold.head in heads or answer.head in heads:
            return compare(gold, answer)
    if gold.head in SCALARS and answer.head in SCALARS:
        return _same_scalars(gold, answer)
    return False


def _same_words(gold: Node, answer: Node) -> bool:
    if gold.head == "words" and answer.head == "words":
        return gold.text == answer.text or (gold.text in _NOTHING and answer.text in _NOTHING)
    words, other = (gold, answer) if gold.head == "words" else (answer, gold)
    return words.text in _NOTHING and other == Node("set")


def _same_items(gold: Node, answer: Node) -> bool:
    """Lists, sets and groups."""
    heads = (gold.head, answer.head)
    if heads == ("group", "group"):
        return brackets(gold) == brackets(answer) and _in_order(gold.args, answer.args)
    if "group" in heads:
        group, other = (gold, answer) if gold.head == "group" else (answer, gold)
        return other.head == "list" and group.text == "( )" and _in_order(gold.args, answer.args)
    items = [node.args if node.head in ("list", "set") else (node,) for node in (gold, answer)]
    if "list" in heads and any(one.head == "dots" for one in (*items[0], *items[1])):
        return _in_order(*items)
    if own_names(items[0]) != own_names(items[1]):
        return _in_order(*items)
    mine, theirs = ([_value_of(one) if one_name(items) else one for one in some] for some in items)
    return _without_order(mine, theirs) or (len(mine) > len(theirs) and _without_order(_unique(mine), theirs))


def _value_of(node: Node) -> Node:
    return (named_value(node) if node.head == "relation" else None) or node


def _in_order(mine: Sequence[Node], theirs: Sequence[Node]) -> bool:
    return len(mine) == len(theirs) and all(same(a, b) for a, b in zip(mine, theirs, strict=True))


def _without_order(mine: Sequence[Node], theirs: Sequence[Node]) -> bool:
    left = list(theirs)
    for one in mine:
        place = next((number for number, other in enumerate(left) if same(one, other)), None)
        if place is None:
            return False
        del left[place]
    return not left


def _unique(nodes: Sequence[Node]) -> list[Node]:
    found: list[Node] = []
    for node in nodes:
        if not any(same(one, node) for one in found):
            found.append(node)
    return found


def _same_matrices(gold: Node, answer: Node) -> bool:
    if gold.head == answer.head == "matrix":
        return gold.text == answer.text and _in_order(gold.args, answer.args)
    mine, theirs = entries(gold), entries(answer)
    return mine is not None and theirs is not None and mine.text == theirs.text and _in_order(mine.args, theirs.args)


def _same_quantities(gold: Node, answer: Node) -> bool:
    """A unit may be left out; two units must measure the same, in sizes that are converted, or be the same word."""
    if gold.head != "quantity" or answer.head != "quantity":
        quantity, other = (gold, answer) if gold.head == "quantity" else (answer, gold)
        temperature = gold.text.startswith("degree ") and other.head == "degrees"
        if quantity.text.startswith("= ") or (other.head in ("degrees", "percent") and not temperature):
            return False
        return same(quantity.args[0], other) if quantity is gold else same(other, quantity.args[0])
    if gold.text == answer.text:
        return same(gold.args[0], answer.args[0])
    mine, theirs = (size_of(node) for node in (gold, answer))
    if mine is None or theirs is None or mine[0] != theirs[0]:
        return False
    return same_value(mine[1], theirs[1])


def _same_congruences(gold: Node, answer: Node) -> bool:
    """The same residue; a modulus that the gold answer does not state may stand beside the number."""
    if answer.head != "congruence":
        return False
    if gold.head != "congruence":
        return same(gold, answer.args[0])
    if not same(gold.args[1], answer.args[1]):
        return False
    one, other, modulus = exact(gold.args[0]), exact(answer.args[0]), exact(gold.args[1])
    if one is None or other is None or not modulus:
        return same(gold.args[0], answer.args[0])
    return (one - other) % modulus == 0


def _same_bases(gold: Node, answer: Node) -> bool:
    """The same digits; the base may be left out."""
    if gold.head == answer.head == "based":
        return gold == answer
    based, other = (gold, answer) if gold.head == "based" else (answer, gold)
    return other.head in SCALARS and written(other) == based.args[0].text


def _same_ratios(gold: Node, answer: Node) -> bool:
    """The same terms; a fraction states the ratio of its two."""
    return {gold.head, answer.head} <= {"ratio", "divide"} and _in_order(gold.args, answer.args)


def _same_scalars(gold: Node, answer: Node) -> bool:
    if has_matrix(gold) or has_matrix(answer):
        return _same_matrices(gold, answer)
    if is_name(gold) and is_name(answer):
        return False  # other letters, or in another order
    if same_value(gold, answer):
        return True
    signs = [percent_of(node) for node in (gold, answer)]
    if (signs[0] is None) == (signs[1] is None) or "degrees" in (gold.head, answer.head):
        return False
    if signs[0] is None and abs(float(exact(gold) or 1)) < 1:
        return False  # 0.5 is 50 %, not 0.5 %
    return same_value(signs[0] or gold, signs[1] or answer)


_KINDS: tuple[tuple[tuple[str, ...], Callable[[Node, Node], bool]], ...] = (
    (("words",), _same_words),
    (("list", "set", "group"), _same_items),
    (("quantity",), _same_quantities),
    (("matrix",), _same_matrices),
    (("congruence",), _same_congruences),
    (("based",), _same_bases),
    (("ratio",), _same_ratios),
)
