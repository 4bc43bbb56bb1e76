"""The 25 instructions of IF-Eval: golden cases, what cannot be checked, properties for any text."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verifiers import natural_languages
from stages.verifiers.instruction_following import CHECKERS, MAX_CHARACTERS, instruction, judge, judge_all, variants
from stages.verifiers.instruction_following_formats import number_bullet_lists, number_placeholders, title

CASES = [json.loads(line) for line in Path("tests/cases/ifeval.jsonl").read_text(encoding="utf-8").splitlines()]
PIECES = [
    "\n",
    " ",
    "*",
    "-",
    "[",
    "]",
    "<",
    ">",
    "a",
    "B",
    ".",
    "é",
    "\r",
    "\u2028",
    "\x00",
    "\ud800",
    "***",
    "******",
    "```",
    "P.S.",
]
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['instruction']}: {case['why']}" for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    checked = instruction(case["instruction"], case["arguments"])
    assert judge(json.dumps([checked]), case["response"]) == ("judged", f"{case['strict']:d} {case['loose']:d}")


def test_each_instruction_has_a_case_that_follows_it_and_one_that_does_not() -> None:
    seen = Counter((case["instruction"], case["strict"]) for case in CASES)
    assert len(CHECKERS) == 25
    assert [key for key in ((name, strict) for name in CHECKERS for strict in (True, False)) if not seen[key]] == []


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("keywords:exists", {}, "unknown instruction 'keywords:exists'; known are change_case:"),
        ("punctuation:no_comma", {"num_words": 3}, "punctuation:no_comma takes no arguments, found num_words"),
        ("length_constraints:number_words", {"num_words": 3, "relation": None}, "takes num_words, relation, found num_words"),
        (
            "length_constraints:number_words",
            {"num_words": 3, "relation": "at most"},
            "'at most'; expected 'less than' or",
        ),
        ("length_constraints:number_words", {"num_words": "3", "relation": "at least"}, "num_words is '3'; expected a number"),
        ("keywords:letter_frequency", {"letter": "ab", "let_frequency": 1, "let_relation": "at least"}, "expected one character"),
        ("keywords:existence", {"keywords": ["(", "a"]}, "expected a list of regular expressions"),
        ("startend:end_checker", {"end_phrase": " "}, "expected a text"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"},
            "paragraph 3 of 2",
        ),
    ],
)
def test_what_the_official_code_fills_with_chance_is_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        instruction(name, arguments)


def test_nulls_of_the_hub_are_no_arguments() -> None:
    assert instruction("punctuation:no_comma", {"num_words": None, "keywords": None}) == ("punctuation:no_comma", {})


def test_a_response_over_the_limit_is_an_error_with_its_length() -> None:
    pairs = [("x" * MAX_CHARACTERS, ([True], [True])), ("x" * (MAX_CHARACTERS + 1), None)]
    found = judge_all([([("punctuation:no_comma", {})], response) for response, _ in pairs], 1, 20)
    assert found[0] == pairs[0][1]
    assert found[1] == "a response of 1000001 characters; at most 1000000 are judged"


def test_json_too_deep_to_tell_is_an_error() -> None:
    (found,) = judge_all([([("detectable_format:json_format", {})], "[" * 100_000 + "]" * 100_000)], 1, 20)
    assert found == "nested too deeply"


@settings(deadline=None)
@given(texts)
def test_variants_are_those_of_the_official_code(text: str) -> None:
    lines = text.split("\n")
    whole = [text, "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip(), "\n".join(lines[1:-1]).strip()]
    expected = [*whole, *(part.replace("*", "") for part in whole)]
    assert set(variants(text)) == set(expected)
    assert variants(text)[0] == text
    assert len(variants(text)) == len(set(expected))


@settings(deadline=None)
@given(texts, st.integers(0, 5))
def test_linear_forms_equal_the_official_patterns(text: str, number: int) -> None:
    bullets = len(re.findall(r"^\s*\*[^\*].*$", text, re.MULTILINE)) + len(re.findall(r"^\s*-.*$", text, re.MULTILINE))
    assert number_bullet_lists(text, number) == (bullets == number)
    assert number_placeholders(text, number) == (len(re.findall(r"\[.*?\]", text)) >= number)
    assert title(text) == any(found.lstrip("<").rstrip(">").strip() for found in re.findall(r"<<[^\n]+>>", text))


@settings(deadline=None)
@given(texts)
def test_every_instruction_has_a_verdict_and_strict_is_loose(text: str) -> None:
    asked = [
        instruction(case["instruction"], case["arguments"]) for case in CASES[::3] if not case["instruction"].startswith("lang")
    ]
    outcome, digits = judge(json.dumps(asked), text)
    strict, loose = digits.split()
    assert outcome == "judged"
    assert all(s <= t for s, t in zip(strict, loose, strict=True))
    assert text.strip() or "1" not in strict


def test_equal_text_has_an_equal_language() -> None:
    """Unseeded, langdetect wavers on this one."""
    text = "SHELDON: CLEVER, ANALYTICAL, SCIENTIST, QUIRKY, UNIQUE."
    assert len({natural_languages.language_of(text) for _ in range(5)}) == 1
    assert natural_languages.language_of("123") is None
