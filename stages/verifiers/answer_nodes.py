"""What a mathematical answer is once it is read: a tree of nodes, without any algebra package.

Heads of values: number (text: its digits), symbol (its name), constant, add, multiply, divide, power, negate, root
(radicand, index),
call (function's name), factorial, binomial, absolute, floor, ceiling, log (argument, base), repeating (digits before, behind the
point, period), percent, degrees, bounded (the LaTeX of a sum, product, integral or limit), dots.
Heads of other kinds: relation (text: its operators; sides), list, group (text: its brackets), set, union, intersection, difference,
matrix (text: columns), words, quantity (text: its unit), ratio, based (text: base), congruence (value, modulus), choices (a value
written with plus or minus)."""

from collections.abc import Iterator
from typing import NamedTuple

from stages.verifiers.dressing import named


class Node(NamedTuple):
    """One node of a reading."""

    head: str
    text: str = ""
    args: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """This node and all below it."""
        yield self
        for one in self.args:
            yield from one.walk()


SCALARS = named(
    "number symbol constant add multiply divide power negate root call factorial binomial absolute floor ceiling log "
    "repeating percent degrees bounded dots"
)
"""Heads of what has one value."""


def is_label(node: Node) -> bool:
    """Whether a side of an equation only names what the other is: a letter, a function of one, words, a name of capital letters."""
    if node.head in ("symbol", "words"):
        return True
    if node.head == "call":
        return is_function(node)
    if node.head == "group":
        return all(is_label(one) for one in node.args)
    if node.head in ("multiply", "divide"):
        return all(one.head == "symbol" and one.text.isupper() for one in node.args)
    return node.head == "absolute" and is_label(node.args[0])


def is_name(node: Node) -> bool:
    """Whether three capital letters or more stand there, and nothing else: ABC, the name of something."""
    letters = [one for one in node.walk() if one.head != "multiply"]
    return len(letters) > 2 and all(one.head == "symbol" and len(one.text) == 1 and one.text.isupper() for one in letters)


def written(node: Node) -> str:
    """A plain number as it is written."""
    return f"-{written(node.args[0])}" if node.head == "negate" else node.text if node.head == "number" else ""


def brackets(group: Node) -> str:
    """The brackets of a group; those of a vector are round ones."""
    return "( )" if group.text == r"\langle \rangle" else group.text


def has_symbol(node: Node) -> bool:
    """Whether a variable or a name is part of it."""
    return any(one.head in ("symbol", "words") or is_function(one) for one in node.walk())


def is_function(node: Node) -> bool:
    """Whether it is an unknown function of something: f(x), V(t)."""
    return node.head == "call" and len(node.text.strip("'")) == 1
