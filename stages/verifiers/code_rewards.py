"""The verifier "code": a problem whose gold answer is a set of tests, a response whose last code block is the program.

The gold answer is JSON: {"language": "python", "tests": [{"input": ..., "output": ...}, or {"function": ..., "arguments": ...,
"result": ...}, or {"statements": ...}]}. The answers of the first two kinds never enter the sandbox; assertions do, and a program
written against this very harness could defeat them, so prefer the others for training."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stages.verifiers.boxes import final_part
from stages.verifiers.claims import Verdict
from stages.verifiers.code_tests import SECONDS, AssertTest, CallTest, StdinTest, Test, judge
from stages.verifiers.languages import LANGUAGES, missing
from stages.verifiers.sandbox import why_unavailable

FENCE = "```"
_KINDS: dict[frozenset[str], type[StdinTest] | type[CallTest] | type[AssertTest]] = {
    frozenset({"input", "output"}): StdinTest,
    frozenset({"function", "arguments", "result"}): CallTest,
    frozenset({"statements"}): AssertTest,
}


def verify_programs(items: Sequence[tuple[str, str]], workers: int = 2, seconds: float = SECONDS) -> list[Verdict]:
    """Verdicts of (gold, response) pairs in order; "error" where the gold answer or the sandbox cannot be used."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return list(pool.map(lambda item: verify_program(item[0], item[1], seconds), items))


def verify_program(gold: str, response: str, seconds: float = SECONDS) -> Verdict:
    """The verdict of one response."""
    program = program_of(response)
    try:
        language, tests = tests_from(gold)
    except ValueError as error:
        return Verdict("error", program, str(error))
    reason = why_unavailable() or missing(language)
    if reason is not None:
        return Verdict("error", program, reason)
    if program is None:
        return Verdict("wrong", None, "no code block")
    return judge(program, tests, language, seconds)


def unrunnable(gold: str) -> str | None:
    """None when the gold answer holds tests that can be run here, else the reason why no response could be right."""
    try:
        language, _ = tests_from(gold)
    except ValueError as error:
        return str(error)
    return why_unavailable() or missing(language)


def program_of(response: str) -> str | None:
    """The last code block after the thinking part; None without one."""
    lines = final_part(response).split("\n")
    fences = [number for number, line in enumerate(lines) if FENCE in line]
    return "\n".join(lines[fences[-2] + 1 : fences[-1]]) if len(fences) >= 2 else None


def tests_from(gold: str) -> tuple[str, list[Test]]:
    """Language and tests of a gold answer. ValueError says what is wrong with it."""
    try:
        value = json.loads(gold)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the tests are not JSON: {error}") from None
    language = value.get("language", "python") if isinstance(value, dict) else None
    if language not in LANGUAGES or not isinstance(value.get("tests"), list) or not value["tests"]:
        raise ValueError(f"the tests need a language of {', '.join(LANGUAGES)} and a list of tests that is not empty")
    tests = [_test(one) for one in value["tests"]]
    if language != "python" and not all(isinstance(test, StdinTest) for test in tests):
        raise ValueError(f"tests of {language} must have input and output")
    return language, tests


def _test(value: Any) -> Test:
    kind = _KINDS.get(frozenset(value)) if isinstance(value, dict) else None
    if kind is None or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("a test has input and output, or function, arguments and result, or statements, all of them texts")
    return kind(**value)
