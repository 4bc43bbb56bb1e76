"""Tokens of an answer taken apart: brackets and their partners, items, words that announce or name something, moduli, bases."""

import re
from collections.abc import Sequence
from itertools import pairwise

from stages.verifiers.answer_atoms import OPEN
from stages.verifiers.answer_nodes import Node
from stages.verifiers.answer_tokens import Token, UnreadableError
from stages.verifiers.answer_units import LETTERS
from stages.verifiers.dressing import named

INFIX = (r"\over", r"\choose")
"""Commands that stand between the two parts of a fraction or a binomial coefficient, in braces of their own."""
AND = ("and", "or", r"\or", r"\and")
_LEADING = named(
    "the final correct right best answer answers option choice value values result solution solutions therefore thus "
    "so hence it we get have is are equals be"
)
"""Words that announce an answer."""
_UPRIGHT = re.compile(r"\\(?:text|mathrm)\s*\{\s*([0-9A-Z]+)\s*\}(?=\s*_)")
_BASED = re.compile(
    r"\(?\s*(-?)([0-9A-Z]+(?:\.[0-9A-Z]+)?)\s*\)?\s*_\s*\{?\s*(?:\\text\s*\{\s*)?([0-9]{1,2}|[a-z]{3,9})\s*\}?\s*\}?"
)
_BASES = {
    name: str(number)
    for number, name in enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], 2)
}
_MODULI = (r"\bmod", r"\pmod", r"\mod")
_CLOSE = frozenset(OPEN.values())


def closed(tokens: list[Token]) -> list[Token]:
    """The tokens without marks that close a sentence and quotes around it."""
    while tokens and tokens[-1].text in (".", ",", ";", ":", '"', r"\\", "?") and len(tokens) > 1:
        tokens = tokens[:-1]
    while tokens and tokens[0].text in ('"', "'"):
        tokens = tokens[1:-1] if tokens[-1].text == "'" else tokens[1:]
    return tokens


def letters_as_units(tokens: Sequence[Token]) -> list[Token] | None:
    """The tokens with single letters read as units: the m of "5 m", the h of "3 h 20 min"; None without any."""
    units = {
        place
        for place in range(1, len(tokens))
        if tokens[place].kind == "letter"
        and tokens[place].text in LETTERS
        and tokens[place].spaced
        and tokens[place - 1].kind == "number"
        and (place + 1 == len(tokens) or tokens[place + 1].kind in ("number", "word"))
    }
    return [token._replace(kind="word") if place in units else token for place, token in enumerate(tokens)] if units else None


def announced(tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens behind words that announce an answer: "The answer is", "Answer:"."""
    count = next((number for number, token in enumerate(tokens) if token.text.lower() not in _LEADING), len(tokens))
    while 0 < count < len(tokens) and tokens[count].text in (":", "="):
        count += 1
    return tokens[count:] if count < len(tokens) else tokens


def unwrapped(tokens: Sequence[Token]) -> Sequence[Token]:
    while len(tokens) > 1 and tokens[0].text == "{" and partner(tokens) == len(tokens) - 1 and not places_of(tokens[1:-1], INFIX):
        tokens = tokens[1:-1]
    return tokens


def partner(tokens: Sequence[Token]) -> int:
    """Place of the bracket that closes the first one."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text in OPEN) - (token.text in _CLOSE)
        if depth == 0:
            return place
    return -1


def moduli_shared(parts: list[Sequence[Token]]) -> list[Sequence[Token]]:
    """Items of a list where the modulus of the last holds for all: n \\equiv 1, 5 \\pmod 6."""
    counts = [sum(token.text in _MODULI for token in part) for part in parts]
    if len(parts) < 2 or counts[-1] != 1 or any(counts[:-1]) or not any(token.text == r"\equiv" for token in parts[0]):
        return parts
    place = next(number for number, token in enumerate(parts[-1]) if token.text in _MODULI)
    place -= place > 0 and parts[-1][place - 1].text == "("
    return [*([*part, *parts[-1][place:]] for part in parts[:-1]), parts[-1]]


def is_point(tokens: Sequence[Token]) -> bool:
    """Whether a point stands there with its name: P(3,-2)."""
    named = len(tokens) > 1 and tokens[0].kind == "letter" and tokens[0].text.isupper() and tokens[1].text == "("
    return named and partner(tokens[1:]) == len(tokens) - 2 and len(split(tokens[2:-1], (",", ";"))) > 1


def words(tokens: Sequence[Token], numbers: bool = False) -> Node | None:
    """Words, or a name, alone; a single letter is a value. With `numbers` these may stand among them: June 20."""
    if all(token.kind != "word" or token.text.lower() in AND for token in tokens) or (
        not numbers and any(token.kind == "number" for token in tokens)
    ):
        return None
    if all(token.kind in ("word", "letter", "number") or token.text in "{}.,'()-!?&;:\"" for token in tokens):
        kept = [token for token in tokens if token.text not in "{}()"]
        text = "".join((" " if token.spaced and token is not kept[0] else "") + token.text for token in kept)
        return Node("words", text.casefold().strip(" .,!;:'\""))
    return None


def split(tokens: Sequence[Token], marks: tuple[str, ...]) -> list[Sequence[Token]]:
    places = [-1, *places_of(tokens, marks), len(tokens)]
    return [tokens[one + 1 : other] for one, other in pairwise(places)]


def marks_in(tokens: Sequence[Token], marks: tuple[str, ...] = (",", ";", *AND)) -> list[str]:
    return [tokens[place].text for place in places_of(tokens, marks)]


def places_of(tokens: Sequence[Token], marks: tuple[str, ...]) -> list[int]:
    """Places of `marks` outside of all brackets."""
    depth, found = 0, []
    for place, token in enumerate(tokens):
        if token.text == r"\begin":
            depth += 1
        elif token.text == r"\end":
            depth -= 1
        depth += (token.text in OPEN) - (token.text in _CLOSE)
        if depth == 0 and token.text in marks:
            found.append(place)
    return found


def before_modulus(tokens: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token]] | None:
    """What stands before a modulus, and the modulus: 2 \\bmod 5, 2 \\pmod{5}, 2 (mod 5)."""
    places = [place for place, token in enumerate(tokens) if token.text in _MODULI]
    if not places:
        return None
    place = places[0]
    before, inner = tokens[:place], tokens[place + 1 :]
    if before and before[-1].text == "(" and inner and inner[-1].text == ")":
        before, inner = before[:-1], inner[:-1]
    if len(places) > 1 or not before or not inner:
        raise UnreadableError("a modulus without its numbers")
    return before, inner


def based(text: str) -> Node | None:
    """A number of another base, by itself or with its name: x = 52_8."""
    named = re.fullmatch(r"\s*([A-Za-z])\s*=(.*)", text, re.DOTALL)
    found = _based(named[2] if named else text)
    return Node("relation", "=", (Node("symbol", named[1]), found)) if named and found else found


def _based(text: str) -> Node | None:
    """A number of another base: 52_8, (52)_8, -2.1_3, 52_{\\text{eight}}; a letter is a digit from base 11 on."""
    bare = _UPRIGHT.sub(r"\1", text.strip().rstrip("."))
    found = _BASED.fullmatch(bare.strip("{}") + ("}" if bare.endswith("}}") else ""))
    base = _BASES.get(found[3], found[3]) if found else ""
    if found is None or not base.isdigit() or not (found[2].replace(".", "").isdigit() or int(base) > 10) or found[2].isalpha():
        return None
    digits = "".join(found[2].split()).lstrip("0") or "0"
    return Node("based", base, (Node("words", f"{found[1]}{digits}"),))
