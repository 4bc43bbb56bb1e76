"""The authors' rules of MathVista: from an extracted answer to a verdict; and what stands in for their extraction by GPT-4.

Source: github.com/lupantech/MathVista, evaluation/calculate_score.py and extract_answer.py. Two rules for integers exist: the
repository now reads "2.0" and "1.5" as 2 and 1 (`current`); at commit 53d52587, with which the scores of the paper were made,
only text that is an integer counts (`published`). An extraction is mapped to the option with the smallest edit distance when
it is no letter, so that even an empty one becomes some option, as in their code."""

import re
from collections.abc import Sequence
from typing import Literal

from stages.verifiers.boxes import last_box

IntegerRule = Literal["current", "published"]
MAX_EXTRACTION = 2000
"""Characters of an extraction that are compared; a longer one is an error."""
MAX_LINE = 300
_OPTION = re.compile(r"\(([a-zA-Z])\)")
_QUOTE, _UNQUOTE = 'The answer is "', '".'
_SAID = re.compile(r"(?i:answer|option|choice)(?i: is| to the question is)?[\s:*]{0,9}\(?([A-H])(?![A-Za-z0-9])")
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|-?\.\d+")
_SAID_NUMBER = re.compile(r"(?i:answer|result|value|total|=)(?i: is| of)?[\s:*$\\(=]{0,9}(?=[-\d.])")
_LIST = re.compile(r"\[[^\[\]\n]{0,400}\]")


def prediction(extraction: str, choices: Sequence[str], answer_type: str, precision: int, rule: IntegerRule) -> str | None:
    """The answer that an extraction stands for, in the form of the gold answer; None when it is of the wrong kind."""
    if choices:
        return _option(extraction.strip(), choices)
    try:
        if answer_type == "integer":
            return str(int(float(extraction)) if rule == "current" else int(extraction))
        if answer_type == "float":
            return str(round(float(extraction), precision))
    except (ValueError, OverflowError):
        return None
    return extraction


def quick_extraction(response: str, choices: Sequence[str], answer_type: str) -> str | None:
    """The authors' rules that need no model: the response is an option or a number, or quotes its answer."""
    if choices and response in choices:
        return response
    if answer_type in ("integer", "float") and len(response) <= MAX_EXTRACTION:
        try:
            return str(int(response)) if answer_type == "integer" else str(float(response))
        except ValueError:
            pass
    return next((found for found in map(_quoted, response.split("\n")) if found is not None), None)


def _quoted(line: str) -> str | None:
    """What stands between the first "The answer is" and the last closing quote with a full stop, in time linear in the line."""
    start, end = line.find(_QUOTE), line.rfind(_UNQUOTE)
    return line[start + len(_QUOTE) : end] if start != -1 and end >= start + len(_QUOTE) else None


def found_extraction(response: str, choices: Sequence[str], answer_type: str) -> str | None:
    """Ours, in place of the authors' GPT-4: the last box, else what an "answer is" says last, else the last option mark,
    option text, number or list of the response. None when there is none."""
    box = last_box(response)
    if box is not None and 0 < len(box) <= MAX_EXTRACTION:
        response = box if choices or answer_type == "list" or _NUMBER.search(box) else response
    if choices:
        return _found_option(response, choices)
    if answer_type == "list":
        lists = _LIST.findall(response)
        return str(lists[-1]) if lists else None
    said = [place.end() for place in _SAID_NUMBER.finditer(response)]
    numbers = [found.group(0) for found in _NUMBER.finditer(response)]
    stated = _NUMBER.match(response, said[-1]) if said else None
    number = stated.group(0) if stated else numbers[-1] if numbers else None
    return number.replace(",", "") if number and len(number) <= MAX_EXTRACTION else None


def last_line(response: str) -> str:
    """The end of the last line with text, at most MAX_LINE characters; "" of an empty response. Stands for the extraction where
    `found_extraction` has none."""
    return response.rstrip().rpartition("\n")[2].strip()[-MAX_LINE:]


def edit_distance(first: str, second: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(second, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]


def _option(extraction: str, choices: Sequence[str]) -> str:
    letters = [chr(ord("A") + index) for index in range(len(choices))]
    marked = _OPTION.search(extraction)
    if marked:
        extraction = marked.group(1).upper()
    if extraction in letters:
        return choices[letters.index(extraction)]
    return min(choices, key=lambda choice: edit_distance(extraction, choice))


def _found_option(response: str, choices: Sequence[str]) -> str | None:
    letters = [chr(ord("A") + index) for index in range(len(choices))]
    bare = response.strip(" \t\r\n.()$*")
    if bare in letters or bare in choices:
        return bare
    for pattern in (_SAID, _OPTION):
        marks = [mark for mark in pattern.findall(response) if mark.upper() in letters]
        if marks:
            return str(marks[-1]).upper()
    places = {choice: _last_place(choice, response) for choice in choices if choice}
    best = max(places, key=lambda choice: (places[choice], len(choice)), default=None)
    return best if best is not None and places[best] >= 0 else None


def _last_place(choice: str, response: str) -> int:
    """Where `choice` ends last as words of their own; a single letter only in its own case. -1 for nowhere."""
    flags = re.IGNORECASE if len(choice) > 1 else 0
    pattern = re.compile(rf"(?<![^\W_]){re.escape(choice)}(?![^\W_])", flags)
    return max((found.end() for found in pattern.finditer(response)), default=-1)
