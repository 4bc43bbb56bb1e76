"""Answers brought into a form that can be compared: matrices multiplied out, quantities in the unit of their kind, percentages."""

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
