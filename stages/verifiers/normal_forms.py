"""Cheap normal forms of short answers: two answers whose normal forms are equal need no algebra."""

import re
import unicodedata
from collections.abc import Container

from stages.verifiers.answer_spelling import ANNOUNCED_IN_CHINESE
from stages.verifiers.dressing import plain

MAX_INTEGER_DIGITS = 400
CHOICES = tuple("ABCDEFGHIJ")
"""Letters of options of the verifier "choice"."""
_SPACING = re.compile(r"\\[,;: ]|~|\\(?:left|right|displaystyle|quad)(?![a-zA-Z])")
_INTEGER = re.compile(r"([+-]?)\s*0*([0-9]{1,%d})(?:\.0*)?" % MAX_INTEGER_DIGITS)  # noqa: UP031
_PLAIN_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,%d}" % (MAX_INTEGER_DIGITS - 1))  # noqa: UP031
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:\{?,\}?[0-9]{3})+(?:\.0*)?")
_DEGREES = re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})|°|\\degree(?![a-zA-Z])")
_ANNOUNCED = re.compile(
    r"(?:(?:so|thus|hence|therefore)[,\s]+)?(?:(?:the\s+)?(?:(?:final|correct|right|best)\s+)?(?:answer|option|choice)\s*(?:is|:|=)?\s*)+",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"[(\[]?\s*([A-Z])\s*[)\]]?\s*[.:]?", re.IGNORECASE)
_CHOICE_WITH_TEXT = re.compile(r"(?:\(\s*([A-Z])\s*\)|([A-Z])\s*[).:])\s*(\S.*)", re.DOTALL)
_CHOICE_WITH_NUMBER = re.compile(r"([A-Z])\s+([-+\\$0-9].*)", re.DOTALL)
_DENIED = re.compile(r"(?:is\s+)?(?:not|wrong|incorrect|false)\W*$|is\s+not\s+(?:correct|right|the)\b|isn't\b", re.IGNORECASE)
"""What says of a letter that it is not the answer."""
_OTHER_OPTION = re.compile(
    r"\(\s*[A-J]\s*\)|(?<![A-Za-z])[A-J]\s*[).:](?!\w)|(?:\b(?:or|and)\b|[,;/&])\s*\(?[A-J](?![A-Za-z])|^[A-J](?:\W+[A-J])*\W*$"
)


def text_form(answer: str) -> str:
    """For "text": NFKC, case folded, white space squeezed, without LaTeX wrappers, quotes and a last period."""
    folded = unicodedata.normalize("NFKC", plain(answer)).casefold()
    squeezed = " ".join(folded.split())
    return squeezed.strip("\"'“”‘’`").replace("’", "'").removesuffix(".").removesuffix("。").strip()


def math_form(answer: str) -> str:
    """For the shortcut of "math": white space and LaTeX spacing removed, but between digits, which it keeps apart; nothing that
    could change a value."""
    spaced = " ".join(_SPACING.sub(" ", answer.strip().strip("$")).split())
    return re.sub(r"(?<![0-9.]) | (?![0-9.])", "", spaced).removesuffix(".")


def integer_form(answer: str) -> str | None:
    r"""The integer as "-?[1-9][0-9]*" or "0", or None when `answer` is not one in its plainest forms; others are for the reader.

    Read here: "025", "204.0", "204^\circ", "\textbf{204}", "$204$", "10{,}000", "10,000"."""
    if simple := _PLAIN_INTEGER.fullmatch(answer):
        return simple[0]
    bare = _DEGREES.sub("", answer)
    thousands = re.sub(r"(?<=[0-9])\{,\}(?=[0-9]{3})", ",", bare)
    bare = plain(thousands).replace("−", "-").strip()
    if _THOUSANDS.fullmatch(bare):
        bare = bare.replace(",", "")
    found = _INTEGER.fullmatch(bare)
    if found is None or not bare.isascii():
        return None
    sign, digits = found.groups()
    return digits if digits == "0" or sign != "-" else f"-{digits}"


def choice_form(answer: str, letters: Container[str] = CHOICES) -> str | None:
    """The option's letter, upper case and one of `letters`: "C", "(c)", "C.", "(C) five", "C: five", "Option C", "The answer is
    C"; None for anything else, and where several options are named."""
    bare = unicodedata.normalize("NFKC", plain(answer)).replace("。", ".").strip()
    bare = ANNOUNCED_IN_CHINESE.sub("", bare).removesuffix("选项").removesuffix("项").strip('"“”<> ')
    announced = _ANNOUNCED.match(bare)
    bare = bare[announced.end() :] if announced else bare
    found = _CHOICE.fullmatch(bare) or _CHOICE_WITH_TEXT.fullmatch(bare) or _CHOICE_WITH_NUMBER.fullmatch(bare)
    text = found.groups()[-1] if found and found.re is not _CHOICE else ""
    if found is None or _OTHER_OPTION.search(text) or _DENIED.match(text):
        return None
    letter = next(letter for letter in found.groups() if letter).upper()
    return letter if letter in letters else None
