"""English sentences as Punkt with NLTK's English model finds them (IF-Eval counts them so).

Rules: Kiss and Strunk (2006), "Unsupervised Multilingual Sentence Boundary Detection", section 4, in the form of NLTK 3.8
and 3.9 (nltk/tokenize/punkt.py). Parameters: sentence_parameters.txt. Linear in the length of the text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

PARAMETERS = Path(__file__).with_name("sentence_parameters.txt")
NUMBER = "##number##"
SPACED_ELLIPSIS = ". . "
"""The one abbreviation of the model with spaces in it: what stands before the last period of ". . ."."""
_ENDS = ".?!"
_CANNOT_START = ";:,.!?"
_NO_WORD = r"[)\";}\]*:@'({\[?!]"
_LONG_MARK = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
_WORD_ENDS = rf"\s|$|{_NO_WORD}|{_LONG_MARK}|,(?=$|\s|{_NO_WORD}|{_LONG_MARK})"
_TOKEN = re.compile(rf"{_LONG_MARK}|(?=[^(\"`{{\[:;&#*@)}}\]\-,])\S+?(?={_WORD_ENDS})|\S")
_POSSIBLE_END = re.compile(rf"[.?!](?=(?P<after>{_NO_WORD}|\s+(?P<next>\S+)))")
_CLOSING = re.compile(r"[\"')\]}]+?(?:\s+|(?=--)|$)", re.MULTILINE)
_NUMERIC = re.compile(r"-?[.,]?\d[\d,.\-]*\.?")
_INITIAL = re.compile(r"[^\W\d]\.")
_ELLIPSIS = re.compile(r"\.{2,}")
_SPACE = re.compile(r"[ \t\n\r\x0b\x0c]")


@dataclass(frozen=True)
class Parameters:
    """What Punkt learned from the Wall Street Journal; words in lower case, without their last period."""

    abbreviations: frozenset[str]
    collocations: frozenset[tuple[str, str]]
    """Pairs of words that a period between them does not part."""
    frequent_starters: frozenset[str]
    starters: frozenset[str]
    """Seen in lower case, and within a sentence never capitalised."""
    lower: frozenset[str]
    """Seen in lower case."""
    lower_starters: frozenset[str]
    """Seen in lower case at the beginning of a sentence, and never capitalised."""


def sentences(text: str) -> Iterator[str]:
    """The sentences of `text` in order, without white space between them."""
    carried = 0
    spans = _spans(text)
    span = next(spans, None)
    while span is not None:
        start, end = span[0] + carried, span[1]
        following = next(spans, None)
        closing = None if following is None else _CLOSING.match(text[slice(*following)])
        carried = 0
        if following is not None and closing is not None:
            end, carried = following[0] + len(closing[0].rstrip()), closing.end()
        if text[start:end] or closing is not None:
            yield text[start:end]
        span = following


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Sentences before closing quotes and brackets are given to the one that they close."""
    start = 0
    for match, context in _contexts(text):
        if any(_ends_sentence(*pair) for pair in _pairs(context)):
            yield start, match.end()
            start = match.start("next") if match["next"] else match.end()
    yield start, len(text.rstrip())


def _contexts(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each possible end with the word before and the token after it; of ends within one word only the last."""
    word_start = word_end = 0
    last: re.Match[str] | None = None
    for match in _POSSIBLE_END.finditer(text):
        space = _last_space(text, word_end, match.start())
        start = word_start if space <= word_end else space + 1
        if last is not None and word_end <= start:
            yield last, text[word_start:word_end] + last[0] + last["after"]
        last, word_start, word_end = match, start, match.start()
    if last is not None:
        yield last, text[word_start:word_end] + last[0] + last["after"]


def _last_space(text: str, start: int, end: int) -> int:
    """Index of the last ASCII white space in text[start:end], or `start` when there is none."""
    return next((index for index in range(end - 1, start, -1) if _SPACE.match(text, index)), start)


def _pairs(context: str) -> Iterator[tuple[str, str]]:
    tokens = [token for line in context.split("\n") if line.strip() for token in _TOKEN.findall(line)]
    return pairwise(tokens)


def _ends_sentence(token: str, following: str) -> bool:
    """Whether a sentence ends between two tokens."""
    if not token.endswith("."):
        return token in _ENDS
    known = parameters()
    kind, after = _kind(token).removesuffix(".") or ".", _kind(following)
    if _default_end(following):
        after = after.removesuffix(".") or "."
    if (kind, after) in known.collocations:
        return False
    ends, initial = _default_end(token), _INITIAL.fullmatch(token) is not None
    starts = _starts_sentence(following, after)
    if not initial and (_ELLIPSIS.fullmatch(token) or (not ends and not token.endswith(".."))):
        return starts is True or (following[0].isupper() and after in known.frequent_starters)
    if initial or kind == NUMBER:
        name = initial and starts is None and following[0].isupper() and after not in known.lower
        return ends and starts is not False and not name
    return ends


def _default_end(token: str) -> bool:
    """The decision by the token alone: a final mark, or a word with a period that is no abbreviation."""
    if token in _ENDS:
        return True
    word = token[:-1].lower()
    known = parameters().abbreviations
    return token.endswith(".") and not token.endswith("..") and word not in known and word.rpartition("-")[2] not in known


def _starts_sentence(token: str, kind: str) -> bool | None:
    """The orthographic heuristic (section 4.1.1); None when it cannot tell."""
    if token in _CANNOT_START:
        return False
    if token[0].isupper() and kind in parameters().starters:
        return True
    return False if token[0].islower() and kind not in parameters().lower_starters else None


def _kind(token: str) -> str:
    return NUMBER if _NUMERIC.fullmatch(token.lower()) else token.lower()


@cache
def parameters() -> Parameters:
    """The parameters, read once."""
    lines = [line for line in PARAMETERS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    sections = {name: words.split() for name, _, words in (line.partition(":") for line in lines)}
    pairs = [pair.partition("|") for pair in sections["collocations"]]
    starters, lower_starters = frozenset(sections["starters"]), frozenset(sections["lower_starters"])
    return Parameters(
        abbreviations=frozenset([SPACED_ELLIPSIS, *sections["abbreviations"]]),
        collocations=frozenset((first, second) for first, _, second in pairs),
        frequent_starters=frozenset(sections["frequent_starters"]),
        starters=starters,
        lower=starters | frozenset(sections["lower"]),
        lower_starters=lower_starters,
    )
