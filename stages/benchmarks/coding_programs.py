"""From a response to a program that tests itself, for the eight languages of HumanEval-Mul.

Extraction and assembly as in DeepSeek-Coder (github.com/deepseek-ai/DeepSeek-Coder, Evaluation/HumanEval/utils/utils.py,
commit 118e71a1af613b00bba0ac5aa9c31f733ae58aed, and human_eval/evaluation.py): the first code block of the language, cut before a
main function, from the name of the asked function to the last brace of its indentation, because the tests begin with a brace."""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """What differs between the languages."""

    fence: str
    """Name of the language after the three backticks, in the prompt and, in any case of letters, in a response."""
    main: str | None = None
    """Where a main function begins, which is cut off."""
    closes: bool = False
    """Whether the last brace is put back, because the tests do not begin with one."""
    before: tuple[str, ...] = ()
    """Lines put before the program."""
    only_new: bool = False
    """Whether lines that the prompt has already are left out of them."""


_PYTHON = (
    *("math", "re", "sys", "copy", "datetime", "itertools", "collections", "heapq", "functools", "hashlib", "numpy"),
    *("numpy as np", "string"),
)
_CPP = ("stdlib.h", "algorithm", "math.h", "stdio.h", "vector", "string", "climits", "cstring", "iostream", "cassert")
_CS = ("Numerics", "Diagnostics", "Collections.Generic", "Linq", "Text", "Security.Cryptography", "Collections.Generic")
STYLES: dict[str, Style] = {
    "python": Style(
        "python", before=(*(f"import {name}" for name in _PYTHON), "from typing import *", "from collections import *")
    ),
    "java": Style("java", main="public static void main"),
    "cpp": Style("cpp", main="int main()", before=tuple(f"#include<{name}>" for name in _CPP), only_new=True),
    "cs": Style("csharp", main="public static void Main", before=tuple(f"using System.{name};" for name in _CS)),
    "js": Style("javascript", closes=True),
    "ts": Style("typescript", closes=True),
    "php": Style("php", closes=True),
    "sh": Style("bash"),
}
_FENCES = {name: re.compile(f"```{style.fence}\n(.*?)```", re.DOTALL | re.IGNORECASE) for name, style in STYLES.items()}


def extracted(language: str, response: str) -> str | None:
    """The first code block of the language, None without one."""
    found = _FENCES[language].search(response)
    return found.group(1) if found else None


def completed(language: str, prompt: str, response: str) -> str:
    """The function of a response under the prompt's head; without a code block the response continues the prompt."""
    block = extracted(language, response)
    return f"{prompt}\n{response}" if block is None else under_head(language, prompt, block)


def under_head(language: str, prompt: str, block: str) -> str:
    """The function of a code block under the prompt's head."""
    style = STYLES[language]
    if style.main and style.main in block:
        block = block[: block.index(style.main)]
    name, head = asked_function(language, prompt)
    start = block.lower().find(name.lower())
    indent = _indent(block, start) if start >= 0 else (4 if language in ("python", "java") else 0)
    start = max(start, 0)
    end = block.rfind("\n" + " " * indent + "}")
    body = block[start : end if end >= 0 else len(block)] if end < 0 or end >= start else ""
    if style.closes:
        body += "\n" + " " * indent + "}"
    return f"{head}\n{body}\n"


def assembled(language: str, prompt: str, code: str) -> str:
    """The program before its tests."""
    style = STYLES[language]
    lines = [line for line in style.before if not (style.only_new and line in prompt)]
    if language == "php":
        return code if code.startswith("<?php") else f"<?php\n{code}"
    if language in ("cpp", "cs"):
        return "".join(f"{line}\n" for line in lines) + "\n" + code
    return "".join(f"{line}\n" for line in lines) + code


def with_word(language: str, tests: str, word: str) -> str:
    """Tests that print `word` at their end: a proof that they were run. ValueError where no place for it is found."""
    return _ENDINGS[language](tests, word)


def asked_function(language: str, prompt: str) -> tuple[str, str]:
    """Name of the asked function as it is written, and the lines of the prompt before it."""
    lines = [line for line in prompt.strip().split("\n") if line.strip()]
    if language == "python":
        last = max((number for number, line in enumerate(lines) if line.startswith("def ")), default=0)
        return lines[last].split("(")[0].strip(), "\n".join(lines[:last])
    return lines[-1].split("{")[0].strip(), "\n".join(lines[:-1])


def _indent(block: str, start: int) -> int:
    """Spaces before the position `start`."""
    return start - len(block[:start].rstrip(" "))


def _before_braces(statement: str, braces: int) -> Callable[[str, str], str]:
    """Puts the statement before the last closing braces."""

    def put(tests: str, word: str) -> str:
        place = len(tests)
        for _ in range(braces):
            place = tests.rfind("}", 0, place)
        if place < 0 or tests[place:].strip("} \r\n"):
            raise ValueError(f"the tests end otherwise than with {braces} closing braces: {tests[-40:]!r}")
        return tests[:place] + statement.replace("WORD", word) + tests[place:]

    return put


def _at_the_end(statement: str) -> Callable[[str, str], str]:
    def put(tests: str, word: str) -> str:
        return f"{tests}\n{statement.replace('WORD', word)}"

    return put


_ENDINGS: dict[str, Callable[[str, str], str]] = {
    "java": _before_braces('System.out.print("WORD");', 2),
    "cpp": _before_braces('std::cout << "WORD" << std::flush;\n', 1),
    "cs": _before_braces('Console.Write("WORD");', 2),
    "js": _at_the_end('console.log("WORD");'),
    "ts": _at_the_end('console.log("WORD");'),
    "php": _at_the_end('echo "WORD";?>'),
    "sh": _at_the_end('echo "WORD"'),
}
