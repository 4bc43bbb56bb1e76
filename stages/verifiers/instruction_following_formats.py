"""IF-Eval's instructions on the format and on parts that a response must have."""

import json
import re

_STARRED = re.compile(r"^[^\S\n]*\*[^*].*$", re.MULTILINE)
_DASHED = re.compile(r"^[^\S\n]*-.*$", re.MULTILINE)
_HIGHLIGHT = re.compile(r"\*([^\n*]*)\*")
_DOUBLE_HIGHLIGHT = re.compile(r"\*\*([^\n*]*)\*\*")
_FENCES = ("```json", "```Json", "```JSON", "```")
_POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_bullet_lists(response: str, num_bullets: int) -> bool:
    """Exactly so many lines that begin with * (not **) or with -."""
    return len(_STARRED.findall(response)) + len(_DASHED.findall(response)) == num_bullets


def constrained_response(response: str) -> bool:
    """One of the three answers occurs."""
    return any(answer in response for answer in ANSWERS)


def number_highlighted_sections(response: str, num_highlights: int) -> bool:
    """At least so many *highlights*, of which **double** ones are found by both patterns, as in the official code."""
    found = [*_HIGHLIGHT.findall(response), *_DOUBLE_HIGHLIGHT.findall(response)]
    return sum(1 for text in found if text.strip()) >= num_highlights


def multiple_sections(response: str, section_spliter: str, num_sections: int) -> bool:
    """At least so many headings: the word, then a number."""
    return len(re.findall(rf"{section_spliter.strip()}\s?\d+", response)) >= num_sections


def json_format(response: str) -> bool:
    """JSON, in a code fence or not. Integers may be of any length. Raises RecursionError when nested too deeply to tell."""
    text = response.strip()
    for fence in _FENCES:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip(), parse_int=str)
    except ValueError:
        return False
    return True


def title(response: str) -> bool:
    """Something in <<double angular brackets>>, within a line."""
    return any(_title(line) for line in response.split("\n"))


def number_placeholders(response: str, num_placeholders: int) -> bool:
    """At least so many [placeholders], each within a line."""
    return sum(map(_placeholders, response.split("\n"))) >= num_placeholders


def postscript(response: str, postscript_marker: str) -> bool:
    """The marker occurs, capital or small; P.S. and P.P.S also with spaces between."""
    marker = postscript_marker.strip()
    return re.search(_POSTSCRIPTS.get(marker, marker.lower()), response.lower()) is not None


def _title(line: str) -> bool:
    """As <<[^\\n]+>> matches: from the first << to the last >>."""
    start, end = line.find("<<"), line.rfind(">>")
    return start != -1 and end >= start + 3 and bool(line[start : end + 2].lstrip("<").rstrip(">").strip())


def _placeholders(line: str) -> int:
    """As \\[.*?\\] matches: from a [ to the next ], not overlapping."""
    count = position = 0
    while (start := line.find("[", position)) != -1 and (end := line.find("]", start + 1)) != -1:
        count, position = count + 1, end + 1
    return count
