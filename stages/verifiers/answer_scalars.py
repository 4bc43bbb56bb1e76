r"""The value of an answer: tokens of one arithmetic expression as a tree, by recursive descent; every token is used or it is refused.

Readings that the answer's own writing leaves open are chosen by the caller: `tight` lets a slash take the product behind it
(1/2x is 1/(2x)), `sign` says which of \pm is meant."""

import re
from collections.abc import Callable, Sequence

from stages.verifiers.answer_nodes import Node
from stages.verifiers.answer_tokens import FUNCTIONS, GREEK, RELATIONS, Token, Unreadable

OPEN = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\langle": r"\rangle", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil"}
MAX_DEPTH = 60
_APPLIED = frozenset("fghFGHPQ")
_DECORATED = (r"\overline", r"\vec", r"\hat", r"\bar", r"\tilde", r"\dot", r"\ddot")
_SEVERAL = ("max", "min", "gcd", "lcm")
_SUMS = (r"\sum", r"\prod", r"\int", r"\lim")
_ATOMS = frozenset([r"\frac", r"\binom", r"\sqrt", r"\pi", r"\infty", r"\lfloor", r"\lceil", r"\angle", r"\triangle", r"\begin"])
_INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot"}
_MATRICES = ("pmatrix", "bmatrix", "matrix", "Bmatrix")


class Scalars:
    """A reader of expressions over `tokens`; `place` is the next token."""

    def __init__(self, tokens: Sequence[Token], tight: bool, sign: str = "+") -> None:
        self.tokens, self.tight, self.sign = tokens, tight, sign
        self.place = self.depth = self.bars = 0
        self.stop_at_units = False
        """Whether upright letters behind a number end the expression, because they are a unit."""

    def whole(self) -> Node:
        """All tokens as one expression. Raises Unreadable."""
        found = self.expression()
        if self.place < len(self.tokens):
            raise Unreadable(f"{self.tokens[self.place].text!r} does not belong to what stands before it")
        return found

    def expression(self) -> Node:
        """A sum of products."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        terms = [self._signed(self._sign() or "+")]
        while (sign := self._sign()) is not None:
            terms.append(self._signed(sign))
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Node("add", "", tuple(terms))

    def _sign(self) -> str | None:
        text = self._peek()
        if text in ("+", "-"):
            self.place += 1
            return text
        if text in (r"\pm", r"\mp"):
            self.place += 1
            return self.sign if text == r"\pm" else "-" if self.sign == "+" else "+"
        return None

    def _signed(self, sign: str) -> Node:
        while (other := self._sign()) is not None:
            sign = "+" if sign == other else "-"
        term = self._product()
        return Node("negate", "", (term,)) if sign == "-" else term

    def _product(self) -> Node:
        found = self._factor()
        while True:
            text = self._peek()
            if text == "*":
                self.place += 1
                found = Node("multiply", "", (found, self._operand()))
            elif text == "/":
                self.place += 1
                found = Node("divide", "", (found, self._tight_product() if self.tight else self._operand()))
            elif self._starts_atom():
                found = Node("multiply", "", (found, self._factor()))
            else:
                return found

    def _tight_product(self) -> Node:
        found = self._operand()
        while self._starts_atom():
            found = Node("multiply", "", (found, self._factor()))
        return found

    def _operand(self) -> Node:
        sign = self._sign()
        factor = self._factor()
        return Node("negate", "", (factor,)) if sign == "-" else factor

    def _starts_atom(self) -> bool:
        """Whether the next token begins a factor that needs no sign before it. A number does not: "2 5" is no product; but (n-2)2^n is."""
        token = self._token()
        if token is None or token.kind == "word":
            return False
        if token.kind == "number":
            return self.tokens[self.place - 1].text == ")" and not token.spaced
        if token.kind == "letter":
            return not (self.stop_at_units and token.upright and token.text not in ("e", "i"))
        text = token.text
        if text == "|":
            return self.bars == 0
        if text == "(" and self.stop_at_units and (following := self._token(1)) is not None and following.kind == "word":
            return False
        name = text[1:]
        return text in "([{" or text in _ATOMS or text in _DECORATED or text in _SUMS or name in GREEK or name in FUNCTIONS

    def _factor(self) -> Node:
        """An atom with its powers, factorials and marks."""
        found = self._mixed() or self._atom()
        while True:
            text = self._peek()
            if text == "^" and self._next_is_degree():
                found = Node("degrees", "", (found,))
            elif text == "^":
                self.place += 1
                found = Node("power", "", (found, self._argument()))
            elif text == "!":
                self.place += 1
                found = Node("factorial", "", (found,))
                if self._peek() == "!":
                    raise Unreadable("a double factorial")
            elif text == r"\%":
                self.place += 1
                found = Node("percent", "", (found,))
            elif text == r"\circ":
                self.place += 1
                found = Node("degrees", "", (found,))
            else:
                return found

    def _next_is_degree(self) -> bool:
        texts = [token.text for token in self.tokens[self.place + 1 : self.place + 4]]
        length = 2 if texts[:1] == [r"\circ"] else 4 if texts == ["{", r"\circ", "}"] else 0
        self.place += length
        return length > 0

    def _mixed(self) -> Node | None:
        """A mixed number: 3\\frac{1}{2}, 3 1/2."""
        token, following = self._token(), self._token(1)
        if token is None or following is None or token.kind != "number" or "." in token.text:
            return None
        start = self.place
        if following.text == r"\frac":
            self.place += 1
            part = self._atom()
        elif following.kind == "number" and following.spaced and self._peek(2) == "/":
            self.place += 1
            top, _, bottom = (self._take() for _ in range(3))
            part = Node("divide", "", (Node("number", top.text), Node("number", bottom.text)))
        else:
            return None
        if all(one.head == "number" and one.text.isdigit() for one in part.args) and int(part.args[0].text) < int(
            part.args[1].text
        ):
            return Node("add", "", (Node("number", token.text), part))
        if following.text != r"\frac":
            raise Unreadable("two numbers beside each other")
        self.place = start
        return None

    def _atom(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "letter":
            return self._name(token.text)
        if token.text in OPEN:
            return self._bracketed(token.text)
        if token.text == "|":
            self.bars += 1
            inner = self.expression()
            self._expect("|")
            self.bars -= 1
            return Node("absolute", "", (inner,))
        if token.kind != "command":
            raise Unreadable(f"{token.text!r} where a value should begin")
        return self._command(token.text)

    def _bracketed(self, opening: str) -> Node:
        if opening in (r"\{", r"\langle"):
            raise Unreadable("a set or a vector inside an expression")
        bars, self.bars = self.bars, 0
        inner = self.expression()
        self.bars = bars
        self._expect(OPEN[opening])
        return Node({r"\lfloor": "floor", r"\lceil": "ceiling"}[opening], "", (inner,)) if opening[0] == "\\" else inner

    def _number(self, token: Token) -> Node:
        """A number, with its repeating digits: 0.1\\overline{6}, 0.333..."""
        whole, _, digits = token.text.partition(".")
        if self._peek() == "." and self._peek(1) in _DECORATED and not digits:
            self.place += 1
        elif not digits:
            return Node("number", token.text)
        if self._peek() in (r"\overline", r"\dot", r"\bar"):
            self.place += 1
            period = self._group_text()
            if not period.isdigit():
                raise Unreadable("a period that is not made of digits")
            return Node("repeating", f"{whole or '0'} {digits} {period}")
        if self._peek() == r"\dots":
            self.place += 1
            found = re.fullmatch(r"([0-9]*?)([0-9]{1,6}?)\2{2,}", digits)
            if found is None:
                raise Unreadable("a decimal that goes on, nobody knows how")
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
        if text in _DECORATED or text in (r"\angle", r"\triangle"):
            return self._decorated(text)
        if text in _SUMS:
            return self._bounded(text)
        if text[1:] in FUNCTIONS:
            return self._function(text[1:])
        if text[1:] in GREEK:
            return self._name(text[1:]) if text[1:] not in ("e", "i") else Node("symbol", text)
        raise Unreadable(f"{text} where a value should begin")

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

    def _argument(self, digits: bool = False) -> Node:
        """What a command or a power applies to: a group, a signed number, or one atom; with `digits` one digit of a number."""
        token = self._token()
        if token is None:
            raise Unreadable("a command or a power without its argument")
        if token.text in ("+", "-") and not digits:
            self.place += 1
            inner = self._argument()
            return Node("negate", "", (inner,)) if token.text == "-" else inner
        if token.kind == "number" and digits and len(token.text) > 1:
            rest = Token("number", token.text[1:], False, token.upright)
            self.tokens = [*self.tokens[: self.place], Token("number", token.text[0], token.spaced, token.upright), rest] + list(
                self.tokens[self.place + 1 :]
            )
        return self._atom()

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
            raise Unreadable(f"an index of {name}")
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
            raise Unreadable(f"{text} without a name")
        if self._peek() == "_":
            self.place += 1
            name += f"_{self._group_text()}"
        return Node("symbol", f"{text} {min(name, name[::-1]) if text in (chr(92) + 'angle', chr(92) + 'overline') else name}")

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
            raise Unreadable(f"an environment {kind!r}")
        rows, row = [], [self.expression()]
        while (token := self._take()).text != r"\end":
            if token.text == "&":
                row.append(self.expression())
            elif token.text == r"\\":
                rows.append(row)
                row = [self.expression()] if self._peek() != r"\end" else []
            else:
                raise Unreadable(f"{token.text!r} in a matrix")
        rows += [row] if row else []
        if self._group_text() != kind or len({len(one) for one in rows}) != 1:
            raise Unreadable("rows of a matrix that differ in length")
        return Node("matrix", str(len(rows[0])), tuple(one for each in rows for one in each))

    def _group_text(self) -> str:
        """The text of a group in braces, or of one token."""
        token = self._take()
        if token.text != "{":
            return token.text
        found, depth = "", 1
        while depth:
            token = self._take()
            depth += (token.text == "{") - (token.text == "}")
            found += token.text if depth else ""
        return found

    def _token(self, ahead: int = 0, kind: str = "") -> Token | None:
        token = self.tokens[self.place + ahead] if self.place + ahead < len(self.tokens) else None
        return token if token is not None and kind in ("", token.kind) else None

    def _peek(self, ahead: int = 0) -> str:
        token = self._token(ahead)
        return token.text if token is not None else ""

    def _take(self) -> Token:
        token = self._token()
        if token is None:
            raise Unreadable("it ends too early")
        self.place += 1
        return token

    def _expect(self, text: str) -> None:
        if self._take().text != text:
            raise Unreadable(f"{text!r} is missing")
