"""The verifier "code": a problem whose gold answer is a set of tests, a response whose last code block is the program.

The gold answer is JSON: {"language": "python", "tests": [{"input": ..., "output": ...}, or {"function": ..., "arguments": ...,
"result": ...}, or {"statements": ...}]}. A test of the first kind may have a "tolerance" (of numbers with a point, 1e-6
unless it says
otherwise) and a "checker" (code_tests.StdinTest), one of the second a "tolerance". Programs run plainly, as `python3 program
< input`
does; no answer ever enters the sandbox of a program. The program is the block that its fence calls so (code_blocks.py)."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stages.verifiers.assertions import parted
from stages.verifiers.boxes import final_part
from stages.verifiers.claims import Verdict
from stages.verifiers.code_blocks import program_in
from stages.verifiers.code_tests import SECONDS, AssertTest, CallTest, StdinTest, Test, judge
from stages.verifiers.languages import LANGUAGES, missing
from stages.verifiers.sandbox import why_unavailable

_KINDS: dict[frozenset[str], type[StdinTest] | type[CallTest] | type[AssertTest]] = {
    frozenset({"input", "output"}): StdinTest,
    frozenset({"function", "arguments", "result"}): CallTest,
    frozenset({"statements"}): AssertTest,
}
_OPTIONAL = {StdinTest: {"tolerance", "checker"}, CallTest: {"tolerance"}, AssertTest: set()}


def verify_programs(items: Sequence[tuple[str, str]], workers: int = 2, seconds: float = SECONDS) -> list[Verdict]:
    """Verdicts of (gold, response) pairs in order; "error" where the gold answer or the sandbox cannot be used."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return list(pool.map(lambda item: verify_program(item[0], item[1], seconds), items))


def verify_program(gold: str, response: str, seconds: float = SECONDS) -> Verdict:
    """The verdict of one response."""
    try:
        language, tests = tests_from(gold)
    except ValueError as error:
        return Verdict("error", program_of(response), str(error))
    program = program_of(response, language)
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


def hidden_tests(question: str, gold: str) -> tuple[int, int]:
    """(tests that the question does not show, all tests) of a gold answer: a test is shown where all its texts stand in the
    question, white space aside. Rewards whose tests are all shown can be had by a table. ValueError for no tests."""
    shown = _squeezed(question)
    _, tests = tests_from(gold)
    return sum(not all(_squeezed(text) in shown for text in _texts(test)) for test in tests), len(tests)


def _texts(test: Test) -> list[str]:
    if isinstance(test, StdinTest):
        return [test.input, test.output]
    if isinstance(test, CallTest):
        return [*test.arguments.split("\n"), test.result]
    return [test.statements]


def _squeezed(text: str) -> str:
    return "".join(text.replace('"', "'").split())


def program_of(response: str, language: str = "python") -> str | None:
    """The program of a response after the thinking part; None without one."""
    return program_in(final_part(response), language)


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
    fields = value.keys() if isinstance(value, dict) else set()
    kind = _KINDS.get(frozenset(fields - {"tolerance", "checker"}))
    extra = fields & {"tolerance", "checker"}
    if kind is None or not extra <= _OPTIONAL[kind] or not all(isinstance(value[name], str) for name in fields - {"tolerance"}):
        raise ValueError(
            "a test has input and output, or function, arguments and result, or statements, all of them texts, and may have a "
            "tolerance (the first two kinds) and a checker (the first)"
        )
    tolerance = value.get("tolerance", 0)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < 1:
        raise ValueError(f"the tolerance of a test is {tolerance!r}, expected a number from 0 to 1")
    if kind is AssertTest:
        parted(value["statements"])
    return kind(**value)
