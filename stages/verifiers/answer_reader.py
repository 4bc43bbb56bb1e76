r"""The reader of mathematical answers: what kind an answer is, and its parts. It fails closed: every token of the answer has
its place in the reading, or there is no reading.

Kinds: a value (number or expression), relation, list, group (tuple or interval, by its brackets), set, union, matrix,
quantity (with a unit), ratio, number of another base, congruence, words (a letter or a text)."""

from collections.abc import Sequence

from stages.verifiers.answer_atoms import OPEN
from stages.verifiers.answer_nodes import Node
from stages.verifiers.answer_scalars import Scalars
from stages.verifiers.answer_spelling import MONEY, NUMBER_WORDS, respelled
from stages.verifiers.answer_splitting import (
    AND,
    announced,
    based,
    before_modulus,
    closed,
    is_point,
    letters_as_units,
    marks_in,
    moduli_shared,
    partner,
    split,
    unwrapped,
    words,
)
from stages.verifiers.answer_tokens import RELATIONS, Token, UnreadableError, has_grouped_commas, tokens_of
from stages.verifiers.answer_units import measure, unit_of
from stages.verifiers.dressing import undressed

_SCALES = {"dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SIGN_PAIRS = (r"\pm", r"\mp")
_SETS = {r"\cup": "union", r"\cap": "intersection", r"\setminus": "difference"}


def readings(answer: str) -> list[Node]:
    """What `answer` may say, each reading of all of it; several where its commas or slashes leave that open. UnreadableError."""
    if found_base := based(respelled(undressed(answer))):
        return [found_base]
    found: list[Node] = []
    reason = UnreadableError("nothing stands there")
    for commas in (True, False) if has_grouped_commas(answer) and ",0" not in answer else (True,):
        try:
            tokens = closed(tokens_of(answer, commas))
        except UnreadableError as error:
            reason = error
            continue
        variants = [(tokens, False)]
        variants += [(tokens, True)] if any(token.text == "/" for token in tokens) else []
        variants += [(unit, False) for unit in [letters_as_units(tokens)] if unit]
        for some, tight in variants:
            try:
                found.append(Reader(tight).answer(some))
            except (UnreadableError, RecursionError) as error:
                reason = error if isinstance(error, UnreadableError) else UnreadableError("nested too deeply")
        phrase = None if found else words(tokens, numbers=True)
        found += [phrase] if phrase else []
    if not found:
        raise reason
    return list(dict.fromkeys(found))


class Reader:
    """Reads tokens, with one choice of what slashes mean."""

    def __init__(self, tight: bool) -> None:
        self.tight, self.sign = tight, "+"

    def answer(self, tokens: Sequence[Token]) -> Node:
        """A whole answer."""
        tokens = unwrapped(announced(tokens))
        if not tokens:
            raise UnreadableError("nothing stands there")
        if found := words(tokens):
            number = NUMBER_WORDS.get(found.text)
            return found if number is None else Node("number", str(number))
        parts, marks = split(tokens, (",", ";", *AND)), marks_in(tokens)
        joined = [parts[0]]
        for mark, part, following in zip(marks, parts[1:], [*marks, ""][1:], strict=True):
            if not part and mark == "," and following in AND and joined[-1]:
                continue
            if not part or not joined[-1]:
                if mark not in AND and not (joined[-1] and part == parts[-1]):
                    raise UnreadableError("a list with an empty place")
                joined[-1] = joined[-1] or part
            else:
                joined.append(part)
        if len(joined) > 1 and any(part[0].text in RELATIONS for part in joined):
            raise UnreadableError("a list of equations whose names are missing")
        elements = _without_label([node for part in moduli_shared(joined) for node in _items(self.part(part))])
        word = "or" if "or" in marks else ""
        return elements[0] if len(elements) == 1 else _compound(elements) or Node("list", word, tuple(elements))

    def part(self, tokens: Sequence[Token]) -> Node:
        """One item: a relation or a side; with plus or minus, both."""
        if any(token.text in _SIGN_PAIRS for token in tokens):
            both = []
            for self.sign in ("+", "-"):
                both.append(self._relation(tokens))
            self.sign = "+"
            return Node("list", "", tuple(both))
        if is_point(tokens):
            return Node("relation", "=", (Node("symbol", tokens[0].text), self.side(tokens[1:])))
        return self._relation(tokens)

    def _relation(self, tokens: Sequence[Token]) -> Node:
        modulus: Node | None = None
        if found := before_modulus(tokens):
            tokens, inner = found
            modulus = self.side(inner)
        sides = split(tokens, tuple(RELATIONS))
        operators = [RELATIONS[mark] for mark in marks_in(tokens, tuple(RELATIONS))]
        nodes = [Node("words") if not side and number == 0 else self.side(side) for number, side in enumerate(sides)]
        if modulus is not None:
            nodes[-1] = Node("congruence", "", (nodes[-1], modulus))
        if any(operator == "==" for operator in operators) and modulus is None:
            raise UnreadableError("a congruence without its modulus")
        operators = ["=" if operator == "==" else operator for operator in operators]
        if operators and operators[0] in ("=", "~") and nodes[0] == Node("words"):
            operators, nodes = operators[1:], nodes[1:]
        return Node("relation", " ".join(operators), tuple(nodes)) if operators else nodes[0]

    def side(self, tokens: Sequence[Token]) -> Node:
        """One side of a relation, or an item without any."""
        tokens = unwrapped(tokens)
        if not tokens:
            raise UnreadableError("a place is empty")
        if found := words(tokens):
            return found
        for mark, head in _SETS.items():
            if len(parts := split(tokens, (mark,))) > 1:
                return Node(head, "", tuple(self.side(part) for part in parts))
        first = tokens[0].text
        if first == r"\emptyset" and len(tokens) == 1:
            return Node("set")
        if first == r"\mathbb" and len(tokens) == 4:
            return Node("words", f"all {tokens[2].text}")
        if first in OPEN and first != "{" and partner(tokens) == len(tokens) - 1:
            return self._group(tokens)
        if len(parts := split(tokens, (":", "to"))) > 1:
            return self._ratio(parts)
        return self._quantity(tokens)

    def _group(self, tokens: Sequence[Token]) -> Node:
        opening, closing, inner = tokens[0].text, tokens[-1].text, tokens[1:-1]
        if opening == r"\{":
            for mark in ("|", ":"):
                parts = split(inner, (mark,))
                if len(parts) == 2 and len(split(parts[1], tuple(RELATIONS))) > 1:
                    return self.answer(parts[1])
        parts = split(inner, (",", ";"))
        if opening == r"\{":
            items = [] if not inner else [item for part in parts for item in _items(self.part(part))]
            return Node("set", "", tuple(items))
        if opening in (r"\lfloor", r"\lceil"):
            return self._scalar(tokens)
        if len(parts) == 1:
            if opening == "[":
                return self._scalar(tokens)
            return self.answer(inner)
        return Node("group", f"{opening} {closing}", tuple(self.part(part) for part in parts))

    def _ratio(self, parts: Sequence[Sequence[Token]]) -> Node:
        last = parts[-1]
        if len(last) > 1 and last[-1].kind == "word":
            unit = unit_of(last[-1:])
            parts = [*parts[:-1], last[:-1]]
            return Node("quantity", unit, (Node("ratio", "", tuple(self._scalar(part) for part in parts)),))
        return Node("ratio", "", tuple(self._scalar(part) for part in parts))

    def _scalar(self, tokens: Sequence[Token]) -> Node:
        return Scalars(tokens, self.tight, self.sign).whole()

    def _quantity(self, tokens: Sequence[Token]) -> Node:
        """A value, with a unit or several values with theirs."""
        if tokens[0].text in MONEY:
            inner = self._quantity(tokens[1:])
            return Node("quantity", tokens[0].text[1:], (inner,)) if inner.head != "quantity" else inner
        if tokens[0].text == "-" and len(tokens) > 2 and tokens[1].text in MONEY:
            return Node("quantity", tokens[1].text[1:], (Node("negate", "", (self._scalar(tokens[2:]),)),))
        scalars = Scalars(tokens, self.tight, self.sign)
        scalars.stop_at_units = True
        found: list[Node] = []
        while scalars.place < len(tokens):
            value, start = scalars.expression(), scalars.place
            while scalars.place < len(tokens) and tokens[scalars.place].kind != "number":
                scalars.place += 1 if tokens[scalars.place].text != "^" else 1 + _length(tokens[scalars.place + 1 :])
            found.append(_with_unit(value, tokens[start : scalars.place]))
        if len(found) == 1:
            return found[0]
        compound = _compound(found)
        if compound is None:
            raise UnreadableError("several values beside each other")
        return compound


def _length(tokens: Sequence[Token]) -> int:
    """How many tokens the argument of a power takes."""
    return partner(tokens) + 1 if tokens and tokens[0].text == "{" else 1


def _with_unit(value: Node, tokens: Sequence[Token]) -> Node:
    if not tokens:
        return value
    texts = [token.text.lower() for token in tokens]
    if texts[0] in _SCALES:
        scaled = Node("multiply", "", (value, Node("number", str(_SCALES[texts[0]]))))
        return _with_unit(scaled, tokens[1:])
    if texts[0] == "of" and tokens[-1].kind == "letter":
        raise UnreadableError("a part of something unknown")
    if texts in (["percent"], ["per", "cent"]):
        return Node("percent", "", (value,))
    if texts[0] in ("degrees", "degree") and len(texts) == 1:
        return value
    if len(texts) == 1 and texts[0] in MONEY:
        return Node("quantity", texts[0][1:], (value,))
    return Node("quantity", unit_of(tokens), (value,))


def _compound(nodes: Sequence[Node]) -> Node | None:
    """3 hours 20 minutes as one quantity: known units of one kind, each smaller than the one before."""
    if len(nodes) < 2 or any(node.head != "quantity" or node.args[0].head != "number" for node in nodes):
        return None
    measures = [measure(node.text) for node in nodes]
    sizes = [found[1] for found in measures if found is not None]
    if len(sizes) < len(nodes) or len({found[0] for found in measures if found}) > 1 or sizes != sorted(set(sizes), reverse=True):
        return None
    terms = []
    for node, size in zip(nodes, sizes, strict=True):
        factor = Node("divide", "", (Node("number", str(size.numerator)), Node("number", str(size.denominator))))
        terms.append(Node("multiply", "", (node.args[0], factor)))
    return Node("quantity", f"= {(measures[0] or ('', 0))[0]}", (Node("add", "", tuple(terms)),))


def _items(node: Node) -> tuple[Node, ...]:
    return node.args if node.head == "list" else (node,)


def _without_label(elements: list[Node]) -> list[Node]:
    """x = 1, 2 is x = 1, x = 2."""
    first = elements[0]
    if len(elements) > 1 and first.head == "relation" and first.text in ("=", "in", "!=") and len(first.args) == 2:
        return [
            first,
            *(one if one.head == "relation" else Node("relation", first.text, (first.args[0], one)) for one in elements[1:]),
        ]
    return elements
