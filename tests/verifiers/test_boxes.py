"""Box extraction: golden cases, and properties for any text."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verifiers.boxes import boxed_answer, final_part, last_box

CASES = [json.loads(line) for line in Path("tests/cases/boxes.jsonl").read_text().splitlines()]
PIECES = st.lists(st.sampled_from(["\\boxed{", "\\fbox{", "{", "}", "\\{", "\\}", "\\\\", "x", " ", "</think>"])).map("".join)
BALANCED = st.recursive(
    st.text(alphabet="ab1+ \n$^_", max_size=5),
    lambda inner: st.builds("{}{{{}}}\\frac{{{}}}{{2}}".format, inner, inner, inner),
    max_leaves=6,
)


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    assert boxed_answer(case["text"]) == case["box"]


@settings(deadline=None)
@given(st.text(), BALANCED, st.text(alphabet="ab }.\n"))
def test_a_balanced_box_is_found_whatever_stands_before_it(before: str, content: str, after: str) -> None:
    assert last_box(f"{before} \\boxed{{{content}}}{after}") == content.strip()


@settings(deadline=None)
@given(st.one_of(st.text(), PIECES))
def test_the_answer_is_part_of_the_final_part_and_its_braces_balance(text: str) -> None:
    answer = boxed_answer(text)
    if answer is not None:
        assert answer in final_part(text)
        plain = answer.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
        depths = [plain[:end].count("{") - plain[:end].count("}") for end in range(len(plain) + 1)]
        assert min(depths) >= 0
        assert depths[-1] == 0


@settings(deadline=None)
@given(PIECES, st.text(alphabet="ab"))
def test_what_is_thought_does_not_matter(thought: str, said: str) -> None:
    assert boxed_answer(f"{thought}</think>{said}") is None
    assert boxed_answer(f"{thought}</think>{said}\\boxed{{3}}") == "3"


@pytest.mark.parametrize("text", ["\\boxed{" * 150_000, "{" * 1_000_000, "\\boxed{a}" * 110_000, "\\" * 1_000_001, "}" * 1_000_000])
def test_a_million_hostile_characters_take_linear_time(text: str) -> None:
    start = time.perf_counter()
    last_box(text)
    assert time.perf_counter() - start < 5
