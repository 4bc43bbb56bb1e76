"""Repetition: golden cases, the definition itself on random sequences, the two detectors against each other, no false stop."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import Tiny, params

from stages.data.records import CuratedProblem
from stages.problems.procedural import FAMILIES, generate
from stages.problems.teaching import demonstrations
from stages.rollout.engine import Repetition
from stages.rollout.repetition import HISTORY, TailWatch, matches, repeated_tail
from stages.run.params import WarmUp

RUNS = Path("../shared/conformance")
CASES = [json.loads(line) for line in Path("tests/cases/repetition.jsonl").read_text(encoding="utf-8").splitlines()]
DEFAULT = Repetition(**params()["rollout"]["repetition"])
"""The thresholds of params.yaml."""
rules = st.builds(Repetition, st.integers(1, 9), st.integers(2, 4), st.integers(1, 20), st.integers(1, 4), st.integers(1, 30))
tokens = st.lists(st.integers(0, 2), max_size=60)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_golden_cases(case: dict[str, Any]) -> None:
    rule = Repetition(case["max_period"], case["repeats"], case["min_tokens"], case.get("distinct", 1))
    found = repeated_tail(case["tokens"], rule)
    assert found == (tuple(case["tail"]) if case["tail"] else None)
    assert TailWatch(1, rule).begin(0, case["tokens"]) == (found is not None)


def by_definition(sequence: list[int], rule: Repetition) -> tuple[int, int] | None:
    for period in range(1, rule.max_period + 1):
        length = min(period, len(sequence))
        while length < len(sequence) and sequence[-length - 1] == sequence[-length - 1 + period]:
            length += 1
        if length > period and length >= max(rule.repeats * period, rule.min_tokens):
            varied = len(set(sequence[-period:])) >= rule.distinct
            return (period, length) if varied or length >= max(rule.repeats * period, rule.plain_tokens) else None
    return None


@settings(deadline=None, max_examples=200)
@given(tokens, rules)
def test_the_tail_is_that_of_the_definition(sequence: list[int], rule: Repetition) -> None:
    assert repeated_tail(sequence, rule) == by_definition(sequence, rule)


@settings(deadline=None)
@given(tokens)
def test_the_z_function_counts_what_is_equal(sequence: list[int]) -> None:
    for place, same in enumerate(matches(sequence, len(sequence))):
        if place:
            assert sequence[:same] == sequence[place : place + same]
            assert place + same == len(sequence) or sequence[same] != sequence[place + same]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(tokens, st.lists(st.integers(0, 2), min_size=25, max_size=25)), min_size=1, max_size=4), rules)
def test_rows_that_grow_together_are_judged_as_each_alone(rows: list[tuple[list[int], list[int]]], rule: Repetition) -> None:
    """Begun with what is there already, in a batch of which one row leaves its place to another half-way."""
    watch = TailWatch(len(rows), rule)
    for place, (start, _) in enumerate(rows):
        assert watch.begin(place, start) == (repeated_tail(start, rule) is not None)
    order = list(range(len(rows)))
    for step in range(25):
        if step == 12 and len(order) > 1:
            watch.move([len(order) - 1], [0])
            order = [order[-1], *order[1:-1]]
        found = watch.advance(np.array([rows[row][1][step] for row in order]))
        for row, hit in zip(order, found, strict=True):
            sequence = rows[row][0] + rows[row][1][: step + 1]
            assert bool(hit) == (repeated_tail(sequence, rule) is not None)


def test_fewer_tokens_asked_of_plain_sequences() -> None:
    """Fault: a response that a row begins with was looked at for those tokens only."""
    rule = Repetition(1, 2, 3, 1, 1)
    assert TailWatch(1, rule).begin(0, [0] * 5)
    assert repeated_tail([0] * 5, rule) == (1, 5)


def test_nothing_is_forgotten_when_the_history_moves_to_the_front() -> None:
    rule = Repetition(3, 5, 15, distinct=1)
    watch = TailWatch(2, rule)
    watch.begin(0, [1])
    total = HISTORY + 7
    for count in range(total):
        (hit, _) = watch.advance(np.array([count % 3 if count >= total - 15 else 5 + count * count % 11, 1]))
        assert hit == (count == total - 1)
    assert watch.runs[0].tolist()[2] == 12
    watch.begin(0, [1, 2])
    assert watch.runs[0].tolist() == [0, 0, 0]


def test_it_is_linear_in_the_tokens() -> None:
    """The worst case of a naive search, 200,000 equal tokens before one that differs: a second, not an hour."""
    assert repeated_tail([1] * 200_000 + [2], Repetition(10_000, 3, 6, 1)) is None
    assert repeated_tail([2] + [1] * 200_000, Repetition(10_000, 3, 6, 1)) == (1, 200_000)


def test_no_demonstration_is_stopped(tiny: Tiny, tmp_path: Path) -> None:
    """The texts that SFT teaches, whatever the teacher guesses on the way: no part of them, read token by token, is a repetition;
    with three copies instead of six it would still be none."""
    tokenizer, warm_up = tiny.renderer().processor.tokenizer, WarmUp(**params()["warm_up"])
    problems = [problem for family in FAMILIES for problem in generate(family, "train", 12, 5, tmp_path)]
    curated = [CuratedProblem(**problem.model_dump(), pass_rate=0.5) for problem in problems]
    texts = [row.response for problem in curated for row in demonstrations(problem, warm_up, 0)]
    texts += [text for problem in problems for text in (problem.solution_long, problem.solution_short) if text]
    assert len(texts) > 400
    for rule in (DEFAULT, Repetition(64, 3, 12, 1)):
        for text in set(texts):
            watch = TailWatch(1, rule)
            watch.begin(0, [])
            assert not any(watch.advance(np.array([token]))[0] for token in tokenizer(text)["input_ids"]), text


def test_a_response_that_loops_is_stopped_soon(tiny: Tiny) -> None:
    """A line again and again: at the sixth copy, or at 48 tokens where that is later."""
    tokenizer = tiny.renderer().processor.tokenizer
    line = tokenizer("3:9*3=7?2 no;")["input_ids"]
    looping = [*tokenizer("Try 2.\n")["input_ids"], *line * 20]
    first = next(end for end in range(len(looping)) if repeated_tail(looping[:end], DEFAULT))
    assert first - (len(looping) - 20 * len(line)) == max(DEFAULT.repeats * len(line), DEFAULT.min_tokens)


def words(text: str) -> list[int]:
    """Tokens as tokenizers of real models cut them, roughly: words with their space, single digits, runs of other signs."""
    found = re.findall(r" ?[A-Za-z]+|[0-9]|\n+| +|[^A-Za-z0-9\s]+", text)
    names: dict[str, int] = {}
    return [names.setdefault(word, len(names)) for word in found]


def stopped(sequence: list[int], rule: Repetition) -> bool:
    watch = TailWatch(1, rule)
    watch.begin(0, [])
    return any(watch.advance(np.array([token]))[0] for token in sequence)


@pytest.mark.parametrize("cut", [words, lambda text: list(text.encode())], ids=["words", "bytes"])
@pytest.mark.parametrize(
    "text",
    [
        "1/3 = 0." + 60 * "3",
        "1/7 = 0." + 12 * "142857",
        "10^60 = 1" + 60 * "0",
        "in binary " + 64 * "1",
        14 * "|---" + "|\n" + 14 * "| :-: " + "|",
        30 * "1+" + "1 = 31",
        "dp = [" + 40 * "0, " + "0]",
        "\\begin{pmatrix}" + 8 * (7 * "0 & " + "0 \\\\\n") + "\\end{pmatrix}",
        32 * "2*" + "2",
        40 * "=" + "\n" + 40 * "-",
    ],
    ids=lambda text: text[:24],
)
def test_plain_sequences_of_right_reasoning_go_on(text: str, cut: Callable[[str], list[int]]) -> None:
    assert not stopped(cut(text), DEFAULT)


PARAGRAPH = (
    "Wait, let me check this again because I am not sure whether the result that I found before is the right one or not. "
    "The triangle has the sides 3, 4 and 5, so its area is 6 and its perimeter is 12. "
)


@pytest.mark.parametrize("cut", [words, lambda text: list(text.encode())], ids=["words", "bytes"])
@pytest.mark.parametrize("unit", [PARAGRAPH[:117], PARAGRAPH, "So the answer is 12. ", "I will try x = 3 now.\n"])
def test_loops_of_sentences_are_stopped_at_their_sixth_copy(unit: str, cut: Callable[[str], list[int]]) -> None:
    tokens_of_unit = cut(unit)
    assert len(tokens_of_unit) <= DEFAULT.max_period
    looping = cut("First." + 8 * unit)
    assert stopped(looping, DEFAULT)
    assert not stopped(looping[: len(cut("First.")) + 5 * len(tokens_of_unit)], DEFAULT)


def test_a_plain_loop_is_stopped_in_the_end() -> None:
    assert stopped(600 * [7], DEFAULT)
    assert not stopped(500 * [7], DEFAULT)


@pytest.mark.skipif(not RUNS.exists(), reason=f"{RUNS} is not here (published responses)")
def test_no_right_published_response_is_stopped() -> None:
    texts = [
        row["response"][0]
        for path in sorted(RUNS.glob("math_qwen_grader/*.jsonl"))
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if row["score"][0]
    ]
    assert len(texts) > 600
    assert [text for text in texts if stopped(words(text), DEFAULT)] == []
