"""Which block of a response is its program: fenced code blocks as CommonMark 0.31 has them (section 4.5, spec.commonmark.org)."""

import re
from typing import NamedTuple

NAMES: dict[str, frozenset[str]] = {
    "python": frozenset(("python", "python3", "py")),
    "java": frozenset(("java",)),
    "cpp": frozenset(("cpp", "c++", "cc", "cxx")),
    "cs": frozenset(("cs", "csharp", "c#")),
    "js": frozenset(("js", "javascript", "node")),
    "ts": frozenset(("ts", "typescript")),
    "php": frozenset(("php",)),
    "sh": frozenset(("sh", "bash", "shell")),
}
"""What a fence calls each language of stages/verifiers/languages.py."""
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})(.*)", re.DOTALL)


class Block(NamedTuple):
    """A fenced code block."""

    name: str
    """First word of the info string, lower case."""
    text: str


def blocks(text: str) -> list[Block]:
    """The fenced code blocks of `text`. A fence that is not closed runs to the end; the indentation of a fence is taken off its
    lines, however deep (a list item's content may be indented more than three spaces)."""
    found: list[Block] = []
    opened: tuple[str, str, str] | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.fullmatch(line.rstrip("\r"))
        if opened is not None and fence and fence[2].startswith(opened[1]) and not fence[3].strip():
            found.append(Block(opened[2], "\n".join(lines)))
            opened = None
        elif opened is not None:
            lines.append(_without_indent(line, len(opened[0])))
        elif fence and not (fence[2][0] == "`" and "`" in fence[3]):
            opened, lines = (fence[1], fence[2], next(iter(fence[3].lower().split()), "").strip("{}.")), []
    if opened is not None:
        found.append(Block(opened[2], "\n".join(lines)))
    return found


def program_in(text: str, language: str) -> str | None:
    """The last block that its fence calls `language`, else the last that has no name, else the last; None without a block that
    holds anything."""
    filled = [block for block in blocks(text) if block.text.strip()]
    named = [block for block in filled if block.name in NAMES.get(language, ())]
    unnamed = [block for block in filled if not block.name]
    chosen = next((some[-1] for some in (named, unnamed, filled) if some), None)
    return None if chosen is None else chosen.text


def _without_indent(line: str, width: int) -> str:
    indent = len(line) - len(line.lstrip(" \t"))
    return line[min(indent, width) :]
