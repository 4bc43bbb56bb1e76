r"""Where the final answer of a response stands: in the last \boxed{} after the thinking part."""

import re

THINKING_BEGINS, THINKING_ENDS = "<think>", "</think>"
_TOKEN = re.compile(
    r"(\\(?:boxed|fbox|framebox)\s*\{)"
    r"|(\\boxed(?:\s+|(?=[0-9]))(?=[+-]?[0-9]|[A-Za-z](?![a-zA-Z])))"
    r"|\\\\(?!(?:boxed|fbox)\s*\{)|\\[^\\]|([{}])",
    re.DOTALL,
)
_BARE = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*|[A-Za-z]")


def final_part(response: str) -> str:
    """The text after the last `</think>` and the white space behind it; without one the whole response, or nothing of a response
    that begins with `<think>`: a thought without an end holds no answer."""
    _, mark, text = response.rpartition(THINKING_ENDS)
    if mark:
        return text.lstrip()
    return "" if text.lstrip().startswith(THINKING_BEGINS) else text


def untagged(response: str) -> str:
    """The whole response without the tags, its thinking part read as if it were answer."""
    return response.replace(THINKING_BEGINS, "").replace(THINKING_ENDS, "")


def last_box(text: str) -> str | None:
    r"""Content of the last \boxed{}, \fbox{} or \framebox{} whose braces balance, or None; of \boxed without braces, as TeX
    has it but for a whole number instead of its first digit.

    Braces escaped as \{ and \} are not counted, as in TeX. Linear in the length of `text`.
    Of nested boxes the one that starts last counts."""
    open_braces: list[tuple[int, bool]] = []
    best: tuple[int, int] | None = None
    for token in _TOKEN.finditer(text):
        if token.group(1):
            open_braces.append((token.end(), True))
        elif token.group(2):
            bare = _BARE.match(text, token.end())
            if bare is not None:
                best = (bare.start(), bare.end())
        elif token.group(3) == "{":
            open_braces.append((token.end(), False))
        elif token.group(3) == "}" and open_braces:
            start, boxed = open_braces.pop()
            if boxed and (best is None or start > best[0]):
                best = (start, token.start())
    return None if best is None else text[best[0] : best[1]].strip()


def boxed_answer(response: str) -> str | None:
    """The boxed answer of a response: the last box of its final part."""
    return last_box(final_part(response))
