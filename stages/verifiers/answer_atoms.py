r"""What an expression is made of, apart from its signs: numbers, names, commands with their arguments."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from stages.verifiers.answer_cursor import Cursor
from stages.verifiers.answer_nodes import Node
from stages.verifiers.answer_tokens import FUNCTIONS, GREEK, RELATIONS, Token, UnreadableError

OPEN = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\langle": r"\rangle", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil"}
DECORATED = (r"\overline", r"\vec", r"\hat", r"\bar", r"\tilde", r"\dot", r"\ddot")
SUMS = (r"\sum", r"\prod", r"\int", r"\lim")
_APPLIED = frozenset("fghFGHPQ")
_SEVERAL = ("max", "min", "gcd", "lcm")
_REVERSIBLE = (r"\angle", r"\overline")
"""Names that mean the same read backwards: the angle ABC, the segment AB."""
_INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot"}
_MATRICES = ("pmatrix", "bmatrix", "matrix", "Bmatrix", "array")


class Atoms(Cursor, ABC):
    """Readers of atoms; what they hold is read by the expressions of answer_scalars.py."""

    tight: bool

    @abstractmethod
    def expression(self) -> Node:
        """A sum of products."""

    @abstractmethod
    def _argument(self, digits: bool = False) -> Node: ...

    @abstractmethod
    def _atom(self) -> Node: ...

    @abstractmethod
    def _operand(self) -> Node: ...

    @abstractmethod
    def _factor(self) -> Node: ...

    @abstractmethod
    def _starts_atom(self) -> bool: ...

    def _number(self, token: Token) -> Node:
        """A number, with its repeating digits: 0.1\\overline{6}, 0.333..."""
        whole, _, digits = token.text.partition(".")
        if self._peek() == "." and self._peek(1) in DECORATED and not digits:
            self.place += 1
        elif not digits:
            return Node("number", token.text)
        if self._peek() in (r"\overline", r"\dot", r"\bar"):
            self.place += 1
            period = self._group_text()
            if not period.isdigit():
                raise UnreadableError("a period that is not made of digits")
            return Node("repeating", f"{whole or '0'} {digits} {period}")
        if self._peek() == r"\dots":
            self.place += 1
            found = re.fullmatch(r"([0-9]*?)([0-9]{1,6}?)\2{2,}", digits)
            if found is None:
                raise UnreadableError("a decimal that goes on, nobody knows how")
            return Node("repeating", f"{whole or '0'} {found[1]} {found[2]}")
        return Node("number", token.text)

    def _name(self, name: str) -> Node:
        """A variable with its index and primes, a function of something, or one of the constants e and i."""
        while self._peek() == "'":
            self.place += 1
            name += "'"
        if self._peek() == "_":
            self.place += 1
            return Node("symbol", f"{name}_{self._group_text()}")
        if name in ("e", "i"):
            return Node("constant", name)
        if self._peek() == "(" and (name[0] in _APPLIED or (self._token(1, "letter") and self._peek(2) == ")")):
            self.place += 1
            return Node("call", name, self._arguments(")"))
        return Node("symbol", name)

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        found = [self.expression()]
        while self._peek() == ",":
            self.place += 1
            found.append(self.expression())
        self._expect(closing)
        return tuple(found)

    def _command(self, text: str) -> Node:
        reader = self._readers().get(text)
        if reader is not None:
            return reader()
        if text in DECORATED or text in (r"\angle", r"\triangle"):
            return self._decorated(text)
        if text in SUMS:
            return self._bounded(text)
        if text[1:] in FUNCTIONS:
            return self._function(text[1:])
        if text[1:] in GREEK:
            return self._name(text[1:]) if text[1:] not in ("e", "i") else Node("symbol", text)
        raise UnreadableError(f"{text} where a value should begin")

    def _readers(self) -> dict[str, Callable[[], Node]]:
        return {
            r"\frac": self._fraction,
            r"\binom": lambda: Node("binomial", "", (self._argument(), self._argument())),
            r"\sqrt": self._root,
            r"\pi": lambda: Node("constant", "pi"),
            r"\infty": lambda: Node("constant", "oo"),
            r"\dots": lambda: Node("dots"),
            r"\begin": self._matrix,
        }

    def _fraction(self) -> Node:
        start = self.place
        parts = Node("divide", "", (self._argument(True), self._argument(True)))
        letters = [token.text for token in self.tokens[start : self.place] if token.text not in "{}"]
        if re.fullmatch(r"d[a-zA-Z]?d[a-zA-Z]", "".join(letters)):
            return Node("symbol", "".join(["\\frac ", *letters]))
        return parts

    def _root(self) -> Node:
        index = Node("number", "2")
        if self._peek() == "[":
            self.place += 1
            index = self.expression()
            self._expect("]")
        return Node("root", "", (self._argument(), index))

    def _function(self, name: str) -> Node:
        power = base = None
        while self._peek() in ("^", "_"):
            mark = self._take().text
            power, base = (self._argument(), base) if mark == "^" else (power, self._argument())
        if name in _SEVERAL:
            opening = self._take().text
            return Node("call", name, self._arguments({"(": ")", r"\{": r"\}", "{": "}"}.get(opening, "nothing")))
        argument = self._function_argument()
        inverse = power == Node("negate", "", (Node("number", "1"),)) and _INVERSES.get(name)
        if inverse:
            name, power = inverse, None
        if base is not None and name != "log":
            raise UnreadableError(f"an index of {name}")
        found = Node("log", "", (argument, base)) if base is not None else Node("call", name, (argument,))
        return Node("power", "", (found, power)) if power is not None else found

    def _function_argument(self) -> Node:
        if self._peek() in ("(", "[", "{", "|"):
            return self._atom()
        found = self._operand()
        while (following := self._token()) is not None and (
            (self._starts_atom() and following.text[1:] not in FUNCTIONS and following.text not in ("(", "["))
            or (following.text == "/" and self.tight)
        ):
            if following.text == "/":
                self.place += 1
                found = Node("divide", "", (found, self._operand()))
            else:
                found = Node("multiply", "", (found, self._factor()))
        return found

    def _decorated(self, text: str) -> Node:
        """The name of an angle, a triangle, a segment, a vector: its letters in their order."""
        if self._peek() == "{":
            name = self._group_text()
        else:
            name = ""
            while (token := self._token()) is not None and token.kind == "letter" and (token.text.isupper() or not name):
                name += self._take().text
        if not name:
            raise UnreadableError(f"{text} without a name")
        if self._peek() == "_":
            self.place += 1
            name += f"_{self._group_text()}"
        return Node("symbol", f"{text} {min(name, name[::-1]) if text in _REVERSIBLE else name}")

    def _bounded(self, text: str) -> Node:
        """A sum, product, integral or limit, up to the end of its expression; its parts are read by latex2sympy."""
        start, depth = self.place, 0
        while (token := self._token()) is not None and not (depth == 0 and (token.text in RELATIONS or token.text in (",", ")"))):
            depth += (token.text in OPEN) - (token.text in OPEN.values())
            if depth < 0 or token.kind == "word":
                break
            self.place += 1
        return Node("bounded", " ".join([text, *(token.text for token in self.tokens[start : self.place])]))

    def _matrix(self) -> Node:
        kind = self._group_text()
        if kind not in _MATRICES:
            raise UnreadableError(f"an environment {kind!r}")
        if kind == "array" and not set(self._group_text()) <= set("lcr|"):
            raise UnreadableError("an array without its columns")
        rows, row = [], [self.expression()]
        while (token := self._take()).text != r"\end":
            if token.text == "&":
                row.append(self.expression())
            elif token.text == r"\\":
                rows.append(row)
                row = [self.expression()] if self._peek() != r"\end" else []
            else:
                raise UnreadableError(f"{token.text!r} in a matrix")
        rows += [row] if row else []
        if self._group_text() != kind or len({len(one) for one in rows}) != 1:
            raise UnreadableError("rows of a matrix that differ in length")
        return Node("matrix", str(len(rows[0])), tuple(one for each in rows for one in each))
