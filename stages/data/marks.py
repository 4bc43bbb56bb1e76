"""What a problem is made of, for comparing two: its words, numbers, signs and operators in order, whatever their dressing."""

import re
import unicodedata

_FIGURE = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)
_WRITTEN = (
    (re.compile(r"\\(?:[dt]?frac)(?![a-z])"), r" frac "),
    (re.compile(r"\\left(?![a-z])|\\right(?![a-z])|\\displaystyle(?![a-z])|\\[,;:!]|\\[\[\]()]"), " "),
    (re.compile(r"\\q?quad(?![a-z])|<image\s*\d*>"), " "),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-z])"), "°"),
    (re.compile(r"\\(?:times|cdot)(?![a-z])|[×·⋅∗]"), " * "),
    (re.compile(r"\\div(?![a-z])|[÷∕]"), " / "),
    (re.compile(r"\\leq?(?![a-z])|≤|<="), " ≤ "),
    (re.compile(r"\\geq?(?![a-z])|≥|>="), " ≥ "),
    (re.compile(r"\\neq?(?![a-z])|≠"), " ≠ "),
    (re.compile(r"\\pi(?![a-z])"), " π "),
    (re.compile(r"\\sqrt(?![a-z])"), " √ "),
    (re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\overline\s*\{\s*([a-z]{2})\s*\}"), r" \1 "),  # a segment; 0.\overline{3} is a number
    (re.compile(r"−"), "-"),
    (re.compile(r"(?<=\d)\s*–\s*(?=\d)"), "-"),
    (re.compile(r"(?<=[^\W\d_]{2})-(?=[^\W\d_]{2})"), " "),  # two-digit, two digit
    (re.compile(r"\*\*+|(?<!\w)_(?!\w)|__+"), " "),
    (re.compile(r"\{\s*(\d+|[a-z])\s*\}"), r" \1 "),
)
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_MARK = re.compile(
    rf"\d+(?:[.,]\d+)*|[{_IDEOGRAPHS}]|[^\W\d_{_IDEOGRAPHS}]+|(?<=[\d)])!|(?<=\w)_(?=\w|{{)|[^\w\s.,;:?!'\"`$\\#’‘“”–—…。，？！：；、]"
)
_SIGN = re.compile(r"[^\w\s]|_|frac|\d.*")
MERE = frozenset(
    {"a", "an", "the", "of", "please", "so", "that", "this", "these", "those", "there", "here", "now", "today", "also", "just"}
    | {"is", "are", "was", "were", "be", "problem", "question", "q"}
    | {"find", "compute", "calculate", "determine", "evaluate", "what"}
)
"""Words that make no other problem, wherever they come or go."""


def marks(text: str) -> list[str]:
    """Words, numbers, ideographs and operators of a text in order, case folded: LaTeX and Unicode writings of a sign are one, its
    dressing (dollars, spaces, \\left) is none. Punctuation and Asymptote figures (`figures`) are left out."""
    plain = unicodedata.normalize("NFKC", _FIGURE.sub(" ", text).replace("°", "\\degree ")).casefold()
    for pattern, written in _WRITTEN:
        plain = pattern.sub(written, plain)
    return _MARK.findall(plain)


def figures(text: str) -> list[str]:
    """The Asymptote programs in a text, without white space."""
    return ["".join(found.split()) for found in _FIGURE.findall(text)]


def is_sign(mark: str) -> bool:
    """Whether a mark is a number or an operator."""
    return _SIGN.fullmatch(mark) is not None


def substance(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What two wordings of one problem have in common: all marks but MERE ones, in order, and the figures."""
    return tuple(mark for mark in marks(text) if mark not in MERE), tuple(figures(text))
