"""The 25 instructions of IF-Eval and their two verdicts, strict and loose (Zhou et al. 2023, arXiv 2311.07911).

Behaviour of the official code (github.com/google-research/google-research, instruction_following_eval/instructions.py and
evaluation_lib.py), written anew without its randomness and without its worse than linear patterns."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

from stages.verifiers import instruction_following_formats as formats
from stages.verifiers import instruction_following_keywords as keywords
from stages.verifiers import instruction_following_language as language
from stages.verifiers import instruction_following_lengths as lengths
from stages.verifiers import instruction_following_whole as whole
from stages.verifiers.instruction_following_counts import RELATIONS
from stages.verifiers.processes import Reply, shared_pool

Instruction = tuple[str, Mapping[str, Any]]
"""Its id, and its arguments."""
CHECKERS: dict[str, Callable[..., bool]] = {
    "change_case:capital_word_frequency": language.capital_word_frequency,
    "change_case:english_capital": language.english_capital,
    "change_case:english_lowercase": language.english_lowercase,
    "combination:repeat_prompt": whole.repeat_prompt,
    "combination:two_responses": whole.two_responses,
    "detectable_content:number_placeholders": formats.number_placeholders,
    "detectable_content:postscript": formats.postscript,
    "detectable_format:constrained_response": formats.constrained_response,
    "detectable_format:json_format": formats.json_format,
    "detectable_format:multiple_sections": formats.multiple_sections,
    "detectable_format:number_bullet_lists": formats.number_bullet_lists,
    "detectable_format:number_highlighted_sections": formats.number_highlighted_sections,
    "detectable_format:title": formats.title,
    "keywords:existence": keywords.existence,
    "keywords:forbidden_words": keywords.forbidden_words,
    "keywords:frequency": keywords.frequency,
    "keywords:letter_frequency": keywords.letter_frequency,
    "language:response_language": language.response_language,
    "length_constraints:nth_paragraph_first_word": lengths.nth_paragraph_first_word,
    "length_constraints:number_paragraphs": lengths.number_paragraphs,
    "length_constraints:number_sentences": lengths.number_sentences,
    "length_constraints:number_words": lengths.number_words,
    "punctuation:no_comma": whole.no_comma,
    "startend:end_checker": whole.end_checker,
    "startend:quotation": whole.quotation,
}
MAX_CHARACTERS = 1_000_000
"""A longer response gets an error: no model writes one within its tokens."""
Judgement = tuple[list[bool], list[bool]] | str
"""Whether each instruction was followed strictly, and loosely; or why that cannot be told."""


def judge_all(items: Sequence[tuple[Sequence[Instruction], str]], workers: int, seconds: float) -> list[Judgement]:
    """Judge (instructions, response) pairs in order. `seconds` is the wall-clock limit of one response."""
    asked = [index for index, (_, response) in enumerate(items) if len(response) <= MAX_CHARACTERS]
    requests = [("instructions", json.dumps(items[index][0]), items[index][1]) for index in asked]
    replies = dict(zip(asked, shared_pool().run(requests, workers, seconds), strict=True)) if requests else {}
    return [_judgement(replies.get(index), response) for index, (_, response) in enumerate(items)]


def judge(instructions: str, response: str) -> Reply:
    """("judged", "STRICT LOOSE") of a JSON list of instructions, a digit 1 or 0 for each."""
    pairs = [(CHECKERS[name], arguments) for name, arguments in json.loads(instructions)]
    texts = variants(response)
    strict = [followed(response, *pair) for pair in pairs]
    loose = [known or any(followed(text, *pair) for text in texts[1:]) for known, pair in zip(strict, pairs, strict=True)]
    return "judged", " ".join("".join(str(int(one)) for one in found) for found in (strict, loose))


def followed(response: str, checker: Callable[..., bool], arguments: Mapping[str, Any]) -> bool:
    """A blank response follows nothing."""
    return bool(response.strip()) and checker(response, **arguments)


def variants(response: str) -> list[str]:
    """The texts of which any may follow an instruction loosely: the response first, then without its first line, its last
    line, both, and each of these without asterisks. Equal ones once."""
    lines = response.split("\n")
    texts = [response, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return list(dict.fromkeys([*texts, *(text.replace("*", "") for text in texts)]))


def instruction(name: str, given: Mapping[str, Any]) -> Instruction:
    """An instruction with the arguments that are not null. Raises ValueError for one that cannot be checked as it stands,
    where the official code would put something random in place of what is missing or wrong."""
    if name not in CHECKERS:
        raise ValueError(f"unknown instruction {name!r}; known are {', '.join(CHECKERS)}")
    arguments = {key: value for key, value in given.items() if value is not None}
    expected = list(signature(CHECKERS[name]).parameters)[1:]
    if sorted(arguments) != sorted(expected):
        raise ValueError(f"{name} takes {', '.join(expected) or 'no arguments'}, found {', '.join(sorted(arguments)) or 'none'}")
    for key, value in arguments.items():
        if not _valid(key, value):
            raise ValueError(f"{name}: {key} is {value!r}; expected {_kind(key)[0]}")
    if "nth_paragraph" in arguments and not 1 <= arguments["nth_paragraph"] <= arguments["num_paragraphs"]:
        raise ValueError(f"{name}: paragraph {arguments['nth_paragraph']} of {arguments['num_paragraphs']}")
    return name, arguments


def _judgement(reply: Reply | None, response: str) -> Judgement:
    if reply is None:
        return f"a response of {len(response)} characters; at most {MAX_CHARACTERS} are judged"
    outcome, text = reply
    if outcome != "judged":
        return text
    strict, loose = ([digit == "1" for digit in digits] for digits in text.split(" "))
    return strict, loose


def _kind(argument: str) -> tuple[str, Callable[[Any], bool]]:
    """What an argument must be, in words and as a test."""
    if argument in ("relation", "let_relation", "capital_relation"):
        return " or ".join(map(repr, RELATIONS)), lambda value: value in RELATIONS
    if argument.startswith("num_") or argument in ("frequency", "let_frequency", "capital_frequency", "nth_paragraph"):
        return "a number from 0", lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if argument in ("keywords", "forbidden_words"):
        return "a list of regular expressions", lambda value: isinstance(value, list) and bool(value) and all(map(_pattern, value))
    if argument in ("keyword", "section_spliter", "postscript_marker"):
        return "a regular expression", _pattern
    if argument == "letter":
        return "one character", lambda value: isinstance(value, str) and len(value.strip()) == 1
    return "a text", lambda value: isinstance(value, str) and bool(value.strip())


def _valid(argument: str, value: Any) -> bool:
    return _kind(argument)[1](value)


def _pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and re.compile(value.strip()) is not None and bool(value.strip())
    except re.error:
        return False
