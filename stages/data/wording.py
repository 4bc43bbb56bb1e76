"""How the wording of questions and responses is compared: normal form, words, and whether a response ends in its
box."""

import re
import unicodedata

_DRESSING = re.compile(r"\\(?:[,;:!]|left(?![a-zA-Z])|right(?![a-zA-Z])|displaystyle(?![a-zA-Z]))|\$")
_SPACE = re.compile(r"\\(?: |quad(?![a-zA-Z])|qquad(?![a-zA-Z]))|~|<image\s*\d*>")
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\W_{_IDEOGRAPHS}]+")
_FIGURE = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)
_AFTER_BOX = re.compile(r"(?:[\s.,;:$)\]*]|\\[\])])*")
_BOX = "\\boxed{"


def normalised(question: str) -> str:
    """Form in which two questions are the same question: NFKC, case folded, white space squeezed, LaTeX dressing and
    final punctuation dropped. Operators stay: "3+4" and "3-4" differ."""
    plain = unicodedata.normalize("NFKC", _SPACE.sub(" ", _DRESSING.sub("", question))).casefold()
    return " ".join(plain.split()).rstrip(" .?!:")


def words(text: str) -> list[str]:
    """Runs of letters or digits, case folded; each ideograph is a word of its own; Asymptote figures are left out."""
    return _WORD.findall(unicodedata.normalize("NFKC", _FIGURE.sub(" ", text)).casefold())


def ends_boxed(response: str) -> bool:
    r"""Whether the response ends in a \boxed{...} whose braces balance; only closing marks may follow it."""
    start = response.rfind(_BOX)
    if start < 0:
        return False
    depth = 0
    for place in range(start + len(_BOX) - 1, len(response)):
        if response[place - 1] == "\\":
            continue
        depth += {"{": 1, "}": -1}.get(response[place], 0)
        if depth == 0:
            return _AFTER_BOX.fullmatch(response, place + 1) is not None
    return False
