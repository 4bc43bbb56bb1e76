r"""The value of an answer: tokens of one arithmetic expression as a tree, by recursive descent; every token is used or it is
refused.

Readings that the answer's own writing leaves open are chosen by the caller: `tight` lets a slash take the product behind it
(1/2x is 1/(2x)), `sign` says which of \pm is meant."""

from collections.abc import Sequence

from stages.verifiers.answer_atoms import DECORATED, OPEN, SUMS, Atoms
from stages.verifiers.answer_nodes import Node
from stages.verifiers.answer_tokens import FUNCTIONS, GREEK, Token, UnreadableError
from stages.verifiers.dressing import named

MAX_DEPTH = 60
_ATOMS = named(r"\frac \binom \sqrt \pi \infty \lfloor \lceil \angle \triangle \begin")


_INFIX = {r"\over": "divide", r"\choose": "binomial"}


class Scalars(Atoms):
    """A reader of expressions over `tokens`; `place` is the next token."""

    def __init__(self, tokens: Sequence[Token], tight: bool, sign: str = "+") -> None:
        super().__init__(tokens)
        self.tight, self.sign = tight, sign
        self.depth = self.bars = 0
        self.stop_at_units = False
        """Whether upright letters behind a number end the expression, because they are a unit."""

    def whole(self) -> Node:
        """All tokens as one expression. Raises UnreadableError."""
        found = self.expression()
        if self.place < len(self.tokens):
            raise UnreadableError(f"{self.tokens[self.place].text!r} does not belong to what stands before it")
        return found

    def expression(self) -> Node:
        """A sum of products."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError("nested too deeply")
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
        """Whether the next token begins a factor that needs no sign before it. A number does not: "2 5" is no product; but
        (n-2)2^n is."""
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
        return text in "([{" or text in _ATOMS or text in DECORATED or text in SUMS or name in GREEK or name in FUNCTIONS

    def _factor(self) -> Node:
        """An atom with its powers, factorials and marks."""
        found = self._mixed() or self._atom()
        while True:
            text = self._peek()
            if text == "^" and self._next_is_degree():
                found = Node("degrees", "", (self._with_minutes(found),))
            elif text == "^":
                self.place += 1
                found = Node("power", "", (found, self._argument()))
            elif text == "!":
                self.place += 1
                found = Node("factorial", "", (found,))
                if self._peek() == "!":
                    raise UnreadableError("a double factorial")
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

    def _with_minutes(self, degrees: Node) -> Node:
        """Degrees with the minutes and seconds of arc behind them."""
        parts, size = [degrees], 1
        for marks in (["'"], ["'", "'"]):
            texts = [token.text for token in self.tokens[self.place + 1 : self.place + 2 + len(marks)]]
            found, size = self._token(0, "number"), size * 60
            if found is None or texts[: len(marks)] != marks or texts[len(marks) :] == ["'"]:
                continue
            self.place += 1 + len(marks)
            parts.append(Node("divide", "", (Node("number", found.text), Node("number", str(size)))))
        return parts[0] if len(parts) == 1 else Node("add", "", tuple(parts))

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
            raise UnreadableError("two numbers beside each other")
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
            raise UnreadableError(f"{token.text!r} where a value should begin")
        return self._command(token.text)

    def _bracketed(self, opening: str) -> Node:
        if opening in (r"\{", r"\langle"):
            raise UnreadableError("a set or a vector inside an expression")
        bars, self.bars = self.bars, 0
        inner = self.expression()
        if opening == "{" and self._peek() in _INFIX:
            inner = Node(_INFIX[self._take().text], "", (inner, self.expression()))
        self.bars = bars
        self._expect(OPEN[opening])
        return Node({r"\lfloor": "floor", r"\lceil": "ceiling"}[opening], "", (inner,)) if opening[0] == "\\" else inner

    def _argument(self, digits: bool = False) -> Node:
        """What a command or a power applies to: a group, a signed number, or one atom; with `digits` one digit of a number."""
        token = self._token()
        if token is None:
            raise UnreadableError("a command or a power without its argument")
        if token.text in ("+", "-") and not digits:
            self.place += 1
            inner = self._argument()
            return Node("negate", "", (inner,)) if token.text == "-" else inner
        if token.kind == "number" and digits and len(token.text) > 1:
            rest = Token("number", token.text[1:], False, token.upright)
            first = token._replace(text=token.text[0])
            self.tokens = [*self.tokens[: self.place], first, rest, *self.tokens[self.place + 1 :]]
        return self._atom()
