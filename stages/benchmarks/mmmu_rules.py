"""The authors' rules of MMMU: which option a response means, and whether a short answer is right.

Source: github.com/MMMU-Benchmark/MMMU, mmmu/utils/eval_utils.py at commit bb0b95a9. Where nothing is found in a response they
choose an option at random; here an unmarked letter in front ("A) Josef Albers"), a response that is the text of just one
option, or a letter that a sentence or a line names ("the answer is **C**", "### Answer" above "C") counts, and any other
response means no option, which is wrong. Kept are their habits
that published scores contain: the article in " A " counts as the option A, a short answer is right when it is contained in any
part of the response that may be an answer, and texts of options are only sought in responses of more than five words."""

import re
from collections.abc import Mapping, Sequence

from stages.benchmarks.multiple_choice import announced, bare_text, leading
from stages.verifiers.boxes import last_box
from stages.verifiers.normal_forms import choice_form

Value = float | str
_ENDS = (",", ".", "!", "?", ";", ":", "'")
_WITH_COMMAS = re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b")
_SCIENTIFIC = re.compile(r"-?(?<!\d)\d+(?:\.\d+)?[eE][+-]?\d+")
_SIMPLE = re.compile(r"-?(?:(?<!\d)\d+\.\d+|\.\d+|(?<!\d)\d+\b)(?![eE][+-]?\d+)(?![,\d])")
_INDICATORS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_STATED = re.compile(r"(?i:answer)\W{0,4}:\W{0,4}\(?([A-Z])(?![A-Za-z0-9])")
MAX_DIGITS = 400
MAX_OPEN = 1 << 20
"""Characters of a response that are searched for a short answer, counted from its end."""


def stated_option(response: str, letters: Sequence[str]) -> str | None:
    r"""The letter after the last "Answer:", else the one in the last \boxed{}: forms that the authors' prompt does not ask
    for but that chain-of-thought models use (MMMU-Pro reads the first one too)."""
    stated = _STATED.findall(response) or _STATED.findall(bare_text(response))
    if stated and stated[-1] in tuple(letters):
        return str(stated[-1])
    box = last_box(response)
    return choice_form(box, tuple(letters)) if box is not None and len(box) <= 200 else None


def parsed_option(response: str, options: Mapping[str, str]) -> str | None:
    """The authors' rule: the option marked last as "(X)", else last as " X ", else whose text stands last; None for none."""
    for end in _ENDS:
        response = response.strip(end)
    padded = f" {response} "
    for form in ("({})", " {} "):
        places = {letter: padded.rfind(form.format(letter)) for letter in options}
        if max(places.values(), default=-1) >= 0:
            return max(places, key=lambda letter: places[letter])
    if len(padded.split(maxsplit=6)) <= 5:
        return None
    lowered = padded.lower()
    places = {letter: lowered.rfind(text.lower()) for letter, text in options.items() if text}
    return max(places, key=lambda letter: places[letter]) if max(places.values(), default=-1) >= 0 else None


def plain_option(response: str, options: Mapping[str, str]) -> str | None:
    """In place of the authors' random choice: the letter in front of a text, else the one option whose text is the response, else
    a letter in bold, LaTeX, a tag or a line of its own."""
    letter = leading(response)
    if letter in options:
        return letter
    bare = response.strip().strip(".").lower()
    same = [name for name, text in options.items() if bare and text.strip().strip(".").lower() == bare]
    return same[0] if len(same) == 1 else announced(response, tuple(options))


def open_values(response: str) -> list[Value]:
    """The authors' candidates for a short answer: tails of lines after words such as "is", and the numbers in them."""
    tails = _key_tails(response[-MAX_OPEN:])
    numbers = [number for tail in tails for number in _numbers(tail)]
    return list(dict.fromkeys(value for text in (*tails, *numbers) for value in _normalised(text)))


def open_right(golds: Sequence[str], values: Sequence[Value]) -> bool:
    """Whether a gold text is contained in a candidate, or a gold number equals one, after rounding to two decimals."""
    wanted = [value for gold in golds for value in _normalised(gold)]
    texts = [value for value in wanted if isinstance(value, str)]
    return any(any(text in value for text in texts) if isinstance(value, str) else value in wanted for value in values)


def _key_tails(response: str) -> list[str]:
    """Of each line the shortest tail after an indicator, in the last line also after "="; the whole response for none."""
    text = response.strip().strip(".").lower()
    lines = text.split("\n")
    tails = []
    for number, line in enumerate(lines, 1):
        indicators = (*_INDICATORS, "=") if number == len(lines) else _INDICATORS
        ends = [line.rpartition(indicator)[2].strip() for indicator in indicators if indicator in line]
        # an empty tail gives way to the next one, as in the authors' loop
        shortest = ""
        for end in ends:
            if not shortest or len(end) < len(shortest):
                shortest = end
        if shortest and shortest not in _ENDS:
            tails.append(shortest)
    return tails or [text]


def _numbers(text: str) -> list[str]:
    return [found for pattern in (_WITH_COMMAS, _SCIENTIFIC, _SIMPLE) for found in pattern.findall(text)]


def _normalised(text: str) -> list[Value]:
    """A number rounded to two decimals, or the text in lower case (a single character padded, to avoid trivial hits)."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)] if len(text) <= MAX_DIGITS else [text.lower()]
    except ValueError:
        lowered = text.lower()
        return [f" {lowered}", f"{lowered} "] if len(lowered) == 1 else [lowered]
