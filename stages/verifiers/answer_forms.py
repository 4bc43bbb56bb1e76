"""Answers brought into a form that can be compared: matrices multiplied out, quantities in the unit of their kind, percentages,
names of listed values."""

from collections.abc import Sequence

from stages.verifiers.answer_nodes import SCALARS, Node
from stages.verifiers.answer_units import measure


def entries(node: Node) -> Node | None:
    """A matrix multiplied out: a number times a matrix, a matrix by a number, minus a matrix."""
    if node.head == "matrix":
        return node
    if node.head not in ("multiply", "divide", "negate"):
        return None
    place = next((number for number, one in enumerate(node.args) if entries(one) is not None), None)
    if place is None or (node.head == "divide" and place == 1):
        return None
    inner = entries(node.args[place])
    assert inner is not None
    products = tuple(node._replace(args=(*node.args[:place], entry, *node.args[place + 1 :])) for entry in inner.args)
    return inner._replace(args=products)


def has_matrix(node: Node) -> bool:
    return any(one.head == "matrix" for one in node.walk())


def size_of(node: Node) -> tuple[str, Node] | None:
    """What a quantity measures, and its size."""
    if node.text.startswith("= "):
        return node.text[2:], node.args[0]
    found = measure(node.text)
    if found is None or node.args[0].head not in SCALARS:
        return None
    factor = Node("divide", "", (Node("number", str(found[1].numerator)), Node("number", str(found[1].denominator))))
    return found[0], Node("multiply", "", (node.args[0], factor))


def percent_of(node: Node) -> Node | None:
    """The number of a percentage."""
    if node.head == "percent":
        return node.args[0]
    inner = percent_of(node.args[0]) if node.head == "negate" else None
    return None if inner is None else Node("negate", "", (inner,))


def one_name(items: Sequence[Sequence[Node]]) -> bool:
    """Whether one of two lists names its values, all by one name, and the other does not, or one of them counts them: x_1, x_2."""
    names = [[one.args[0].text for one in some if one.head == "relation"] for some in items]
    named = [len(found) == len(some) > 0 for found, some in zip(names, items, strict=True)]
    stems = [{_stem(name) for name in found} for found in names]
    if named[0] != named[1]:
        return len(stems[0] | stems[1]) == 1
    return all(named) and stems[0] == stems[1] and len(stems[0]) == 1 and {len(set(found)) == 1 for found in names} == {True, False}


def own_names(items: Sequence[Node]) -> bool:
    """Whether each of several values has a name of its own, x = 2, y = 3: their order is that of the names."""
    names = {_stem(one.args[0].text) for one in items if one.head == "relation" and one.text == "="}
    return len(names) == len(items) > 1


def _stem(name: str) -> str:
    """The letter of a name that counts: x of x_1; any other name as it is."""
    return name[0] if name[1:2] == "_" else name
