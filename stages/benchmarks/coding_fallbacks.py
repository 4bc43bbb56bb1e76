"""Programs in responses from which the official extraction of HumanEval-Mul takes none that holds the asked function.

Ours, in place of a wrong answer for a form: a fence of another label or none, one left open, the text before a lone closing fence
(a response that begins inside the fence of its prompt), a later block, a body without its head. Each has a name in a verdict."""

import re
from dataclasses import dataclass
from textwrap import dedent, indent

from stages.benchmarks.coding_programs import STYLES, asked_function, extracted, under_head

_FENCE = re.compile(r"```+([^\n`]*)")
_LONGEST_LABEL = 20


@dataclass(frozen=True)
class Found:
    """A program and where it stood."""

    name: str
    """The fallback, as the verdict and the counts name it."""
    block: str
    """The text that was taken."""
    code: str
    """The function under the prompt's head."""


@dataclass(frozen=True)
class _Block:
    text: str
    name: str


def fallback(language: str, prompt: str, response: str) -> Found | None:
    """The program that a fallback finds; None where the official extraction stands: its block holds the asked function, or the
    response has no fence and continues the prompt, or nothing better is there."""
    first = extracted(language, response)
    if first is not None and _holds(language, prompt, first):
        return None
    blocks = _blocks(response)
    if not blocks and language != "python" and _holds(language, prompt, response):
        return Found("no fence", response, under_head(language, prompt, response))
    if not blocks:
        body = _indented(language, prompt, response)
        return None if body in (None, response) else Found("body", response, f"{prompt}\n{body}")
    for block in blocks:
        if _holds(language, prompt, block.text):
            return Found(block.name, block.text, _program(language, prompt, block.text))
    for block in blocks:
        body = _indented(language, prompt, block.text)
        if body is not None:
            return Found(f"body, {block.name}", block.text, f"{prompt}\n{_closed(language, prompt, body)}")
    return None


def _blocks(response: str) -> list[_Block]:
    """The blocks in order. A first fence without a label, one of an odd number, may close what stands before it."""
    fences = list(_FENCE.finditer(response))
    labelled = [_label(fence.group(1)) for fence in fences]
    lone = bool(fences) and len(fences) % 2 == 1 and not fences[0].group(1).strip()
    blocks = [_Block(response[: fences[0].start()], "before a lone closing fence")] if lone else []
    start: int | None = None
    for fence, label in zip(fences[lone:], labelled[lone:], strict=True):
        if start is not None:
            blocks.append(_Block(response[start : fence.start()], "another fence"))
        start = fence.end() if start is None or label else None
    if start is not None:
        blocks.append(_Block(response[start:], "an unclosed fence"))
    if lone:
        blocks.append(_Block(response[fences[0].end() :].partition("```")[0], "an unclosed fence"))
    return blocks


def _label(text: str) -> str:
    """The language that a fence names; "" for none, or where prose follows."""
    label = text.strip()
    return label if len(label) <= _LONGEST_LABEL and not re.search(r"\s", label) else ""


def _holds(language: str, prompt: str, text: str) -> bool:
    """Whether the asked function begins on a line of the text."""
    name, _ = asked_function(language, prompt)
    if language == "python":
        return re.search(rf"^[ \t]*(?:async )?{re.escape(name)}[ \t]*\(", text, re.MULTILINE) is not None
    return name.lower() in text.lower()


def _program(language: str, prompt: str, block: str) -> str:
    """Python's block whole, with its imports and other functions; of the other languages the function, as officially."""
    if language != "python":
        return under_head(language, prompt, block)
    return f"{asked_function(language, prompt)[1]}\n{dedent(block)}\n"


def _indented(language: str, prompt: str, text: str) -> str | None:
    """The text as the body of the asked function, None where it is none. Python's is indented where it is not."""
    lines = re.sub(r"\A(?:[ \t\r]*\n)+", "", text).rstrip().split("\n")
    if not lines[0].strip():
        return None
    if language != "python" or lines[0].startswith((" ", "\t")):
        return text if language != "python" or _holds_code(lines[0]) else None
    if not _holds_code(lines[0]) or _holds(language, prompt, text):
        return None
    others = [line for line in lines[1:] if line.strip()]
    deeper = all(line.startswith("    ") for line in others)
    opens = lines[0].rstrip().endswith(":")
    only_first = deeper and (not others or not opens or others[0].startswith("        "))
    return "\n".join(["    " + lines[0], *lines[1:]]) if only_first else indent("\n".join(lines), "    ")


_STATEMENT = re.compile(
    r"\s*(?:(?:return|if|for|while|with|try|raise|assert|pass|def|import|from|print|global|nonlocal|yield|class)\b.*"
    r"|[\w.\[\], *()]+(?:[-+*/%&|^]|//|\*\*|<<|>>)?=(?!=).*|[\w.]+\(.*|#.*|\"\"\".*|'''.*)$"
)


def _holds_code(line: str) -> bool:
    """Whether a line of Python may be a statement rather than prose."""
    return len(line) < 10_000 and _STATEMENT.match(line) is not None


def _closed(language: str, prompt: str, body: str) -> str:
    """A body of a language with braces without the last brace of the function, or with it where the tests do not bring it."""
    if language == "python":
        return body
    head = next(line for line in reversed(prompt.split("\n")) if line.strip())
    brace = "\n" + head[: len(head) - len(head.lstrip(" "))] + "}"
    end = body.rfind(brace)
    return (body[:end] if end >= 0 else body) + brace * STYLES[language].closes
