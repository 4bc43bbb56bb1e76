r"""The tokens of a mathematical answer: every digit, letter, sign and command of it is in one of them, or it is refused.

What only dresses an answer (stages/verifiers/dressing.py) makes no token. Commands that are not in a table below are refused: their
meaning is not known here, so nothing that stands beside them may be compared."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from stages.verifiers.answer_spelling import SHORT_NUMBERS, SYNONYMS, UPRIGHT_FUNCTIONS, respelled
from stages.verifiers.dressing import CLOSING, DRAWN, FACES, SPACES, TEXT, named, undressed

GREEK = named(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar"
)
FUNCTIONS = named(
    "sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh coth cis log ln lg exp max min gcd lcm det arg Re Im sgn"
)
RELATIONS = {
    "=": "=",
    "<": "<",
    ">": ">",
    r"\lt": "<",
    r"\gt": ">",
    r"\le": "<=",
    r"\leq": "<=",
    r"\leqslant": "<=",
    r"\leqq": "<=",
    r"\ge": ">=",
    r"\geq": ">=",
    r"\geqslant": ">=",
    r"\geqq": ">=",
    r"\ne": "!=",
    r"\neq": "!=",
    r"\approx": "~",
    r"\equiv": "==",
    r"\in": "in",
    r"\sim": "~",
    r"\simeq": "~",
}
_KNOWN = named(
    r"\frac \binom \sqrt \pm \mp \pi \infty \{ \} \langle \rangle \lfloor \rfloor \lceil \rceil \dots \cup \cap "
    r"\setminus \emptyset \circ \% \dollar \pound \euro \yen \mod \bmod \pmod \or \and \angle \triangle \overline \vec \hat \bar "
    r"\dot \mathbb \begin \end \\ \sum \prod \int \lim \partial \to \tilde \ddot \underbrace \& \perp \parallel \over \choose"
)
_NAMED = {
    "pi": r"\pi",
    "sqrt": r"\sqrt",
    "infty": r"\infty",
    "infinity": r"\infty",
    "inf": r"\infty",
    "oo": r"\infty",
    "mod": r"\bmod",
}
WORDS = named(
    "cm mm km ft in yd mi sq kg mg oz lb ml hr min sec mph cents usd or and if is the am pm no yes not are to of per ways way day "
    "men"
)
JOINING = named("and or is if the yes no not are") | SHORT_NUMBERS
"""Short runs of letters that are words, the second wherever they stand; longer runs are, other short ones are products of
letters."""
_SPACE = re.compile(SPACES + r"|\s+|\\!|\\negthinspace(?![a-zA-Z])|\\/|\\$")
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+|[A-Za-z]+|\\[A-Za-z]+\*?|\\.|!=|<>|<=|>=|==|\.{2,}|.", re.DOTALL)
_GROUP = r"(?:,\s*\\!|\\!\s*,|\{\s*,\s*\}\s*(?:\\!)?|\\,|\\;)\s*"
_THOUSANDS = re.compile(r"(?<![0-9.])([0-9]{1,3})((?:%s[0-9]{3})+)(?![0-9])" % _GROUP)  # noqa: UP031
_COMMAS = re.compile(r"(?<![0-9.,])(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})(?![0-9]|,[0-9])")
_EXPONENT = re.compile(r"(?<![A-Za-z0-9.}\)])([0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE]([+-]?[0-9]{1,4})(?![0-9.A-Za-z])")
_DAYTIME = re.compile(r"(?<![A-Za-z\\])([ap])\.?\s?m\b\.?")
_SIGN_IN_BRACES = re.compile(r"(?<!\\)\{\s*([,:;=])\s*\}")
_NOT = re.compile(r"\\not\s*(=|\\equiv|\\in)")
_GLUED = re.compile(
    r"(\\(?:%s|pi|cdot|times|lceil|lfloor|angle))([a-zA-Z]{1,3})"  # noqa: UP031
    % "|".join(sorted(GREEK | {name for name in FUNCTIONS if len(name) > 2}, key=len, reverse=True))
)
_PRIMES = re.compile(r"\^\s*(?:\{\s*((?:\\prime\s*)+)\}|((?:\\prime)))")
MAX_TOKENS = 1200


class UnreadableError(ValueError):
    """The answer, or a part of it, has no meaning that is known here."""


class Token(NamedTuple):
    """One token. `kind`: number, letter, word, command or sign."""

    kind: str
    text: str
    spaced: bool
    """Whether white space stands before it."""
    upright: bool
    """Whether it stands in a text group."""


def tokens_of(answer: str, commas: bool) -> list[Token]:
    """The tokens; `commas`: whether commas between groups of three digits separate thousands. Raises UnreadableError."""
    text = _THOUSANDS.sub(lambda found: found[1] + re.sub(_GROUP, "", found[2]), respelled(undressed(answer)))
    text = _SIGN_IN_BRACES.sub(r"\1", text)
    text = _COMMAS.sub(lambda found: found[0].replace(",", ""), text) if commas else text
    text = _PRIMES.sub(lambda found: "'" * found[0].count("prime"), text)
    text = _NOT.sub(lambda found: r"\ne " if found[1] == "=" else found[0], text)
    text = _EXPONENT.sub(lambda found: f"({found[1]}*10^{{{int(found[2])}}})", _DAYTIME.sub(r" \1m ", text))
    found = list(_tokens(text, False))
    if len(found) > MAX_TOKENS:
        raise UnreadableError(f"{len(found)} signs; at most {MAX_TOKENS} are read")
    return found


def has_grouped_commas(answer: str) -> bool:
    """Whether a comma of `answer` may separate thousands or the items of a list."""
    return _COMMAS.search(answer) is not None


def _tokens(text: str, upright: bool) -> Iterator[Token]:
    place, spaced, last = 0, False, ""
    while place < len(text):
        if found := _SPACE.match(text, place):
            spaced, place = True, found.end()
            continue
        found = _TOKEN.match(text, place)
        assert found is not None
        raw, place = found[0], found.end()
        name = raw[1:].rstrip("*") if raw[0] == "\\" else ""
        if name in DRAWN:
            place = _group(text, place)[1]
        elif name in TEXT:
            content, place = _argument(text, place)
            yield from _text_group(content, spaced)
            spaced = False
        elif name not in FACES and name not in CLOSING:
            yield from _plain(raw, spaced, upright, last)
            spaced, last = False, raw


def _text_group(content: str, spaced: bool) -> Iterator[Token]:
    """The tokens of a text group; white space at its ends counts."""
    first = True
    for token in _tokens(content, True):
        yield token._replace(spaced=token.spaced or (first and spaced))
        first = False


def _argument(text: str, place: int) -> tuple[str, int]:
    """What a command of upright text applies to: its group, or the sign that follows."""
    while place < len(text) and text[place].isspace():
        place += 1
    if text[place : place + 1] == "{":
        return _group(text, place)
    return text[place : place + 1], place + 1


def _group(text: str, place: int) -> tuple[str, int]:
    """Content of the braces that begin at `place`, and the place behind them. Raises UnreadableError."""
    start, depth = text.find("{", place), 0
    if start < 0 or text[place:start].strip():
        raise UnreadableError("a command without its argument")
    for token in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):
        depth += (token[0] == "{") - (token[0] == "}")
        if depth == 0:
            return text[start + 1 : start + token.start()], start + token.end()
    raise UnreadableError("braces that do not close")


def _plain(raw: str, spaced: bool, upright: bool, last: str) -> Iterator[Token]:
    """The token or, for a run of letters, tokens of a piece that is neither space nor dress; `last` stands before it."""
    if raw[0] in "0123456789" or (raw[0] == "." and raw[1:2].isdigit()):
        yield Token("number", raw, spaced, upright)
    elif raw[0] == "\\":
        yield from _command(raw.rstrip("*"), spaced, upright)
    elif raw[0].isascii() and raw.isalpha():
        yield from _letters(raw, spaced, upright, spaced or last[-1:].isdigit())
    elif raw[0] == "." and len(raw) > 1:
        yield Token("command", r"\dots", spaced, upright)
    elif raw.isalpha():
        yield Token("word", raw, spaced, upright)
    elif raw in ("!=", "<>"):
        yield Token("command", r"\ne", spaced, upright)
    elif raw in ("<=", ">=", "=="):
        yield Token("command", {"<=": r"\le", ">=": r"\ge", "==": "="}[raw], spaced, upright)
    elif raw in "+-*/=<>()[]{}|^_,;:!'.&?\"%":
        yield Token("sign", {"%": r"\%"}.get(raw, raw), spaced, upright)
    else:
        raise UnreadableError(f"the sign {raw!r} is not read")


def _command(raw: str, spaced: bool, upright: bool) -> Iterator[Token]:
    """A command; one that lost the space behind it, as in published answers without spaces, is two tokens: \\pit is \\pi t."""
    name = SYNONYMS.get(raw, raw)
    if name[0] != "\\":
        yield Token("sign", name, spaced, upright)
    elif name in RELATIONS or name in _KNOWN or name[1:] in GREEK or name[1:] in FUNCTIONS:
        yield Token("command", name, spaced, upright)
    elif found := _GLUED.fullmatch(raw):
        yield from _command(found[1], spaced, upright)
        yield from (Token("letter", letter, False, upright) for letter in found[2])
    else:
        raise UnreadableError(f"the command {raw} is not read")


def _letters(run: str, spaced: bool, upright: bool, behind: bool) -> Iterator[Token]:
    """Words, or letters one by one; short units are words `behind` a number or a space only: "5cm", but "cm^2" is c m^2."""
    if run in FUNCTIONS and (run in UPRIGHT_FUNCTIONS if upright else run != "min"):
        yield Token("command", f"\\{run}", spaced, upright)
    elif run in _NAMED:
        yield Token("command", _NAMED[run], spaced, upright)
    elif run in GREEK and not upright:
        yield Token("command", f"\\{run}", spaced, upright)
    elif len(run) > 1 and (upright or len(run) > 3 or run.lower() in JOINING or (behind and run.lower() in WORDS)):
        yield Token("word", run, spaced, upright)
    else:
        for number, letter in enumerate(run):
            yield Token("letter", letter, spaced and number == 0, upright)
