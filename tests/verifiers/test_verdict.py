"""The one door of verification: golden verdicts, hostile answers, speed, agreement with published variants."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.data.records import VerifierName
from stages.verifiers.verdict import NO_BOX, Verdict, answerable, answerable_all, verify, verify_all

CASES = [json.loads(line) for line in Path("tests/cases/verdicts.jsonl").read_text().splitlines()]
MATH500 = Path("../shared/bench/math500")
needs_math500 = pytest.mark.skipif(not MATH500.exists(), reason=f"{MATH500} is not here (published MATH-500 answers)")


@pytest.mark.parametrize("case", CASES, ids=[f"{case['verifier']}: {case['why']}" for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    verdict = verify(case["verifier"], case["gold"], case["response"])
    assert verdict.outcome == case["outcome"], verdict.reason


def test_a_verdict_says_what_it_read_and_why() -> None:
    assert verify("integer", "5", "it is five") == Verdict("wrong", None, NO_BOX)
    assert verify("integer", "5", "\\boxed{6}") == Verdict("wrong", "6", "expected '5'")
    assert verify("math", "\\frac{", "\\boxed{6}").reason == "the gold answer '\\\\frac{' cannot be read: it ends too early"


def test_an_unknown_verifier_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="unknown verifier 'maths'"):
        verify("maths", "5", "\\boxed{5}")  # type: ignore[arg-type]


def test_order_is_kept_between_instant_and_algebraic_verdicts() -> None:
    items: list[tuple[VerifierName, str, str]] = []
    for n in range(30):
        items.append(("integer", str(n), f"\\boxed{{{n}}}"))
        items.append(("math", str(n), f"\\boxed{{{n + n % 2} + 0}}"))
    outcomes = [verdict.outcome for verdict in verify_all(items)]
    assert outcomes == [outcome for n in range(30) for outcome in ("right", "wrong" if n % 2 else "right")]


@pytest.mark.parametrize(
    "answer",
    [
        "9^{9^{9^{9}}}",
        "9**9**9**9",
        "2" * 1_000_000,
        "{" * 1000 + "2" + "}" * 1000,
        "(" * 1900,
        "\\frac{" * 300 + "1" + "}{2}" * 300,
        "2\0",
        "2\ud800",
        "\\int_0^1 x^x dx",
        "__import__('os').getpid()",
        "1000000!",
        "\\sqrt" * 300,
    ],
    ids=lambda answer: answer[:24].encode("ascii", "backslashreplace").decode(),
)
def test_hostile_answers_get_a_verdict_within_the_deadline(answer: str) -> None:
    start = time.monotonic()
    (verdict, after) = verify_all([("math", "3", f"\\boxed{{{answer}}}"), ("math", "3", "\\boxed{2+1}")], workers=1, seconds=2)
    assert verdict.outcome in ("wrong", "error")
    assert verdict.reason
    assert after.outcome == "right", "the next answer must not suffer"
    assert time.monotonic() - start < 60, "2 s for the answer, the rest for starting processes on a busy machine"


def test_an_endless_computation_is_an_error_with_its_reason() -> None:
    endless = "\\prod_{n=1}^{10000000} \\sin(n^2)"
    (verdict,) = verify_all([("math", "3", f"\\boxed{{{endless}}}")], seconds=1)
    assert verdict == Verdict("error", endless, "no verdict within 1 s")


@settings(deadline=None)
@given(st.sampled_from(["integer", "text", "choice"]), st.text(), st.text())
def test_any_text_gets_a_verdict(verifier: VerifierName, gold: str, response: str) -> None:
    assert verify(verifier, gold, f"{response}\\boxed{{{response}}}").reason


@settings(deadline=None)
@given(st.sampled_from(["integer", "text", "choice"]), st.text(alphabet="ABCJ()-019., ", min_size=1))
def test_an_answerable_gold_answer_is_right(verifier: VerifierName, gold: str) -> None:
    if answerable(verifier, gold) is None:
        assert verify(verifier, gold, f"\\boxed{{{gold}}}").outcome == "right"


def test_threads_may_verify() -> None:
    found: list[Verdict] = []
    threads = [threading.Thread(target=lambda: found.extend(verify_all([("math", "1/2", "\\boxed{.5}")] * 3))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [verdict.outcome for verdict in found] == ["right"] * 9


def test_256_integers_take_milliseconds() -> None:
    items: list[tuple[VerifierName, str, str]] = [("integer", "25", "thinking " * 60 + "\\boxed{025}")] * 256
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        verify_all(items)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.25


def test_answerable_names_what_is_wrong_with_a_gold_answer() -> None:
    pairs: list[tuple[VerifierName, str]] = [
        ("math", "\\frac{3}{4}"),
        ("math", "\\frac{"),
        ("math", ""),
        ("integer", "12a"),
        ("choice", "B"),
        ("math", "\\text{Evelyn}"),
        ("text", "x" * 3000),
    ]
    assert answerable_all(pairs, seconds=2) == [
        None,
        "the gold answer '\\\\frac{' cannot be read: it ends too early",
        "the gold answer '' is not a mathematical answer",
        "the gold answer '12a' is not an integer",
        None,
        None,
        "the gold answer has 3000 characters; at most 2000 are compared",
    ]


def _math500() -> tuple[list[dict[str, Any]], dict[str, str]]:
    rows = [json.loads(line) for line in (MATH500 / "test.jsonl").read_text().splitlines()]
    lines = (MATH500 / "test_prime_expected_answer.jsonl").read_text().splitlines()
    return rows, {row["problem"]: row["expected_answer"] for row in map(json.loads, lines)}


@needs_math500
def test_math500_gold_answers_agree_with_the_reference_solutions_in_time() -> None:
    rows, _ = _math500()
    start = time.perf_counter()
    verdicts = verify_all([("math", row["answer"], row["solution"]) for row in rows])
    assert [row["unique_id"] for row, verdict in zip(rows, verdicts, strict=True) if verdict.outcome != "right"] == []
    assert answerable_all([("math", row["answer"]) for row in rows]) == [None] * 500
    assert time.perf_counter() - start < 30


@needs_math500
def test_math500_answers_of_prime_are_the_same_answers() -> None:
    rows, prime = _math500()
    pairs = [(row["answer"], prime[row["problem"]]) for row in rows if prime[row["problem"]] != row["answer"]]
    assert len(pairs) == 85
    verdicts = verify_all([("math", gold, f"\\boxed{{{answer}}}") for gold, answer in pairs])
    assert [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict.outcome != "right"] == []


@needs_math500
def test_math500_answers_of_another_problem_are_wrong() -> None:
    rows, _ = _math500()
    pairs = [
        (one["answer"], other["answer"])
        for one, other in zip(rows, rows[1:] + rows[:1], strict=True)
        if one["answer"] != other["answer"]
    ]
    verdicts = verify_all([("math", gold, f"\\boxed{{{answer}}}") for gold, answer in pairs])
    assert len(pairs) > 480
    accepted = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict.outcome != "wrong"]
    assert accepted == [("5", "x=5")], "the same number, by chance, in two neighbouring problems"
