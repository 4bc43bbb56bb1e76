"""Verification beside generation: overlap, order, errors and crashes, whatever the timing."""

import random
import threading
import time
from collections.abc import Sequence

import pytest

from stages.data.files import DataError
from stages.verifiers.background import JUDGED_TOGETHER, Verification
from stages.verifiers.verdict import Answer, Claim, Verdict, verify_all

PATIENCE = 60.0


def claim(number: int, kind: str = "integer") -> Claim:
    return Claim(kind, str(number), f"\\boxed{{{number + number % 2}}}", "how many?")  # type: ignore[arg-type]


def test_verdicts_are_those_of_the_door_in_the_order_of_submission() -> None:
    claims = [claim(number, kind) for number in range(12) for kind in ("integer", "math", "text")]
    claims.append(Claim("instructions", '[{"instruction": "punctuation:no_comma"}]', "a"))
    claims.append(Claim("integer", "x", "\\boxed{1}"))
    with Verification[int](workers=2) as verification:
        for key, one in enumerate(claims):
            verification.submit(key, one)
        found = verification.results()
        assert list(found) == list(range(len(claims)))
        assert list(found.values()) == verify_all(claims)
        assert found[len(claims) - 1].outcome == "error", "an error is a result like any other"
        assert verification.results() == {}, "each verdict is given once"
        verification.submit(0, claim(3))
        assert list(verification.results()) == [0]


def test_responses_are_judged_before_the_last_one_has_ended() -> None:
    """Generation here waits for the verdict on its first response before its second one ends: were verification to begin with
    `results`, neither would ever go on."""
    judged = threading.Event()

    def verify(claims: Sequence[Claim], *_: object) -> list[Verdict]:
        judged.set()
        return [Verdict("right", None, one.gold) for one in claims]

    with Verification[str](1, verify=verify) as verification:
        verification.submit("first", claim(1))
        assert judged.wait(PATIENCE)
        verification.submit("second", claim(2))
        assert [verdict.reason for verdict in verification.results().values()] == ["1", "2"]


def test_generation_goes_on_while_a_slow_verifier_works() -> None:
    """The verifier ends only after generation has: a `submit` that waited for it would never return."""
    generated = threading.Event()

    def slow(claims: Sequence[Claim], *_: object) -> list[Verdict]:
        assert generated.wait(PATIENCE)
        return [Verdict("right", None, "late") for _ in claims]

    with Verification[int](1, verify=slow) as verification:
        for number in range(100):
            verification.submit(number, claim(number))
        generated.set()
        assert len(verification.results()) == 100


def test_a_slow_judge_keeps_no_other_verdict_waiting() -> None:
    others = threading.Event()

    def verify(claims: Sequence[Claim], *_: object) -> list[Verdict]:
        if claims[0].verifier == "judge":
            assert others.wait(PATIENCE)
        else:
            others.set()
        return [Verdict("right", None, "") for _ in claims]

    with Verification[int](1, verify=verify) as verification:
        for number in range(JUDGED_TOGETHER):
            verification.submit(number, claim(number, "judge"))
        verification.submit(-1, claim(0))
        assert len(verification.results()) == JUDGED_TOGETHER + 1


@pytest.mark.parametrize("seed", range(3))
def test_the_judge_sees_the_same_groups_whatever_the_timing(seed: int) -> None:
    """A model's answer may depend on its batch: groups follow the order of submission, not the clock."""
    chance, groups = random.Random(seed), list[list[str]]()

    def judge(prompts: Sequence[str]) -> list[str | DataError]:
        groups.append(list(prompts))
        time.sleep(chance.random() / 100)
        return [f'{{"correct": {str(len(groups) % 2 == 0).lower()}}}' for _ in prompts]

    claims = [Claim("judge", str(n), f"it is {n}", "how many?") for n in range(2 * JUDGED_TOGETHER + 3)]
    with Verification[int](1, judge=judge) as verification:
        for key, one in enumerate(claims):
            verification.submit(key, one)
            time.sleep(chance.random() / 500)
        outcomes = [verdict.outcome for verdict in verification.results().values()]
    assert [len(group) for group in groups] == [JUDGED_TOGETHER, JUDGED_TOGETHER, 3]
    assert outcomes == ["wrong"] * JUDGED_TOGETHER + ["right"] * JUDGED_TOGETHER + ["wrong"] * 3


def test_a_crash_of_the_thread_is_raised_where_results_are_fetched() -> None:
    def broken(claims: Sequence[Claim], workers: int, seconds: float, judge: Answer | None) -> list[Verdict]:
        raise RuntimeError(f"the pool is gone: {len(claims)}, {workers}, {seconds:g}, {judge}")

    with Verification[int](3, 7.0, verify=broken) as verification:
        verification.submit(1, claim(1))
        for _ in range(2):
            with pytest.raises(RuntimeError, match="the pool is gone: 1, 3, 7, None"):
                verification.results()
        verification.submit(2, claim(2))
        with pytest.raises(RuntimeError, match="the pool is gone"):
            verification.results()


def test_too_few_verdicts_are_a_crash_and_no_silence() -> None:
    with Verification[int](1, verify=lambda *_: []) as verification:
        verification.submit(1, claim(1))
        with pytest.raises(ValueError, match="zip"):
            verification.results()


def test_what_cannot_be_submitted() -> None:
    with Verification[int](1) as verification:
        verification.submit(1, claim(1))
        with pytest.raises(ValueError, match="1 was submitted before"):
            verification.submit(1, claim(1))
        with pytest.raises(ValueError, match="unknown verifier 'maths'"):
            verification.submit(2, claim(1, "maths"))
        assert list(verification.results()) == [1]


def test_leaving_ends_the_threads_and_an_exception_does_not_wait_for_them() -> None:
    begun, release = threading.Event(), threading.Event()

    def stuck(claims: Sequence[Claim], *_: object) -> list[Verdict]:
        begun.set()
        release.wait(PATIENCE)
        return [Verdict("right", None, "") for _ in claims]

    def fails() -> None:
        with Verification[int](1, verify=stuck) as verification:
            verification.submit(1, claim(1))
            assert begun.wait(PATIENCE)
            raise KeyError("generation failed")

    with pytest.raises(KeyError):
        fails()
    release.set()
    until = time.monotonic() + PATIENCE
    while any(thread.name == "verify-answer" for thread in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("verify-")]
