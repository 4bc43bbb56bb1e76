"""Cheap normal forms of short answers: two answers whose normal forms are equal need no algebra."""

import re
import unicodedata

MAX_INTEGER_DIGITS = 400
_WRAPPER = re.compile(r"\\(?:text|textbf|textit|texttt|textrm|mathrm|mathbf|boldsymbol|mbox|bf)\s*\{([^{}]*)\}")
_SPACING = re.compile(r"\\[,;:! ]|~|\\(?:left|right|displaystyle|quad)(?![a-zA-Z])")
_INTEGER = re.compile(r"([+-]?)0*(\d{1,%d})(?:\.0*)?" % MAX_INTEGER_DIGITS)  # noqa: UP031
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.0*)?")
_DEGREES = re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})|°|\\degree(?![a-zA-Z])")
_CHOICE = re.compile(r"\(?\s*([A-J])\s*\)?[.:]?", re.IGNORECASE)
_CHOICE_WITH_TEXT = re.compile(r"(?:\(\s*([A-J])\s*\)|([A-J])\s*[).:])\s*\S.*", re.DOTALL)


def strip_latex(answer: str) -> str:
    r"""`answer` without dollar signs, LaTeX spacing and one level of \text{}-like wrappers."""
    bare = _WRAPPER.sub(r"\1", answer.replace("\\$", "").replace("$", ""))
    return _SPACING.sub("", bare).strip()


def text_form(answer: str) -> str:
    """For "text": NFKC, case folded, white space squeezed, without LaTeX wrappers, quotes and a last period."""
    folded = unicodedata.normalize("NFKC", strip_latex(answer)).casefold()
    squeezed = " ".join(folded.split())
    return squeezed.strip("\"'“”‘’`").removesuffix(".").strip()


def math_form(answer: str) -> str:
    """For the shortcut of "math": white space and LaTeX spacing removed; nothing that could change a value."""
    return "".join(_SPACING.sub("", answer.strip().strip("$")).split()).removesuffix(".")


def integer_form(answer: str) -> str | None:
    r"""The integer as "-?[1-9][0-9]*" or "0", or None when `answer` is no integer.

    Read as integers: "025", "204.0", "204^\circ", "\textbf{204}", "$204$", "10{,}000", "10,000", "m+n = 204"."""
    bare = _DEGREES.sub("", strip_latex(answer)).replace("{,}", ",").replace("−", "-")
    bare = "".join(bare.rpartition("=")[2].split())
    if _THOUSANDS.fullmatch(bare):
        bare = bare.replace(",", "")
    found = _INTEGER.fullmatch(bare)
    if found is None or not bare.isascii():
        return None
    sign, digits = found.groups()
    return digits if digits == "0" or sign != "-" else f"-{digits}"


def choice_form(answer: str) -> str | None:
    """The option's letter A to J, upper case: "C", "(c)", "C.", "(C) five", "C: five"; None for anything else."""
    bare = strip_latex(answer)
    found = _CHOICE.fullmatch(bare) or _CHOICE_WITH_TEXT.fullmatch(bare)
    return next(letter for letter in found.groups() if letter).upper() if found else None
