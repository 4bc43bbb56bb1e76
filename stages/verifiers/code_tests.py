r"""Programs judged by tests: on standard input, by calls, or by assertions. The expected answers never enter the sandbox of
a program.

Two harnesses run Python. "plain" is what rewards and Codeforces use: `python3 program < input`, calls of functions, numbers with a
point compared with a tolerance, a checker where a problem has several right outputs. The others are LiveCodeBench's
(github.com/LiveCodeBench/LiveCodeBench, lcb_runner/evaluation/testing_util.py), for its own cell: output line by line without outer
white space, or else number by number as decimals; results of calls as Python compares them. A program is judged test by test
until the first that fails. Without a sandbox there is an error, never a verdict."""

import json
import secrets
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from stages.verifiers.assertions import check_program, holds, parted
from stages.verifiers.claims import Verdict
from stages.verifiers.code_test_kinds import AssertTest, CallTest, StdinTest, Test
from stages.verifiers.output_comparison import close_output, close_result, same_output, same_result
from stages.verifiers.programs import (
    MAX_SHOWN,
    PYTHON,
    CompileError,
    Harness,
    Program,
    Runner,
    as_bytes,
    compiled,
    ended,
    source_of,
    with_files,
)
from stages.verifiers.sandbox import SandboxUnavailableError

__all__ = ["AssertTest", "CallTest", "StdinTest", "Test", "ended", "judge", "outputs_of", "proven", "same_output", "same_result"]
SECONDS = 6.0
"""CPU time of one test; LiveCodeBench gives as much on the wall clock of a machine that it has for itself."""


class CheckerError(ValueError):
    """A checker gave no verdict: the test is broken, not the program."""


T = TypeVar("T")


def judge(
    program: str, tests: Sequence[Test], language: str = "python", seconds: float = SECONDS, harness: Harness = "plain"
) -> Verdict:
    """Right when every test passes. `language` other than python is for StdinTest only. ValueError without tests."""
    if not tests:
        raise ValueError("a program without tests cannot be judged")
    try:
        failed = _first_failure(Runner(program, language, seconds, harness), tests)
    except CompileError as error:
        return Verdict("wrong", program, str(error))
    except (SandboxUnavailableError, CheckerError) as error:
        return Verdict("error", program, str(error))
    return Verdict("right", program, f"passes {len(tests)} tests") if failed is None else Verdict("wrong", program, failed)


def outputs_of(program: str, inputs: Sequence[str], language: str = "python", seconds: float = SECONDS) -> list[str | None]:
    """What a program prints for each input; None from the first on which it fails. CompileError, SandboxUnavailableError, of it
    StarvedError."""
    answers = Runner(program, language, seconds, "plain").answers(inputs, "stdin")
    found: list[str | None] = [text for text, reason in answers if reason is None]
    return found + [None] * (len(inputs) - len(found))


def proven(program: str, tests: str, seconds: float) -> str | None:
    """Run Python tests after a program, in one process as HumanEval's published harness does; None when they ran to their end, else
    why they did not."""
    word = secrets.token_hex(16)
    parts = [as_bytes(part) for part in (program, tests, word)]
    done = _asserting().run(b"".join(b"%d\n%s" % (len(part), part) for part in parts), seconds)
    if done.stdout.endswith(word.encode()) and done.returncode == 0 and not done.killed_for:
        return None
    return "it ended before its tests did" if done.returncode == 0 and not done.killed_for else ended(done)


def _first_failure(runner: "Runner", tests: Sequence[Test]) -> str | None:
    """Test by test in the order given; tests of one kind that follow each other share a sandbox."""
    done = 0
    for _, group in groupby(tests, lambda test: (type(test), test.function if isinstance(test, CallTest) else None)):
        for batch in _growing(list(group)):
            for number, reason in enumerate(_reasons(runner, batch), done + 1):
                if reason is not None:
                    return f"test {number} of {len(tests)}: {reason}"
            done += len(batch)
    return None


def _growing(tests: list[T]) -> Iterator[list[T]]:
    """Batches of 1, 4, 16 ... tests: a program that fails early does not run them all."""
    size = 1
    while tests:
        yield tests[:size]
        tests, size = tests[size:], 4 * size


def _reasons(runner: "Runner", tests: Sequence[Test]) -> Iterator[str | None]:
    """For each test why it failed, or None; up to the first failure."""
    first = tests[0]
    if isinstance(first, AssertTest):
        yield from _assertions(runner, [test.statements for test in tests if isinstance(test, AssertTest)])
        return
    inputs = [
        runner.given(test.input) if isinstance(test, StdinTest) else test.arguments
        for test in tests
        if not isinstance(test, AssertTest)
    ]
    mode, function = ("call", first.function) if isinstance(first, CallTest) else ("stdin", "")
    for test, (text, reason) in zip(tests, runner.answers(inputs, mode, function), strict=False):
        yield reason or (None if _accepts(test, text, runner) else f"gave {text[:MAX_SHOWN]!r}")


def _assertions(runner: "Runner", statements: Sequence[str]) -> Iterator[str | None]:
    """The program's process tells what was asked; what is asserted of it is checked where the program is not."""
    taken = [parted(text) for text in statements]
    asked = [json.dumps(parts.requests) for parts in taken]
    for parts, (told, reason) in zip(taken, runner.answers(asked, "values"), strict=False):
        if reason is not None:
            yield reason
            continue
        right = holds(parts, told)
        if right is None:
            word = secrets.token_hex(16)
            checks = check_program(parts, told, word)
            right = checks is not None and outputs_of(checks, [""], seconds=runner.seconds) == [f"{word}\n"]
        yield None if right else f"gave {told[:MAX_SHOWN]}"


def _accepts(test: Test, text: str, runner: "Runner") -> bool:
    exact = runner.harness != "plain"
    if isinstance(test, StdinTest):
        if test.checker is not None:
            return _checked(test, text)
        return same_output(text, test.output) if exact else close_output(text, test.output, test.tolerance)
    assert isinstance(test, CallTest)
    return same_result(text, test.result) if exact else close_result(text, test.result, test.tolerance)


def _checked(test: StdinTest, text: str) -> bool:
    """What the test's checker says of an output, in a sandbox of its own. CheckerError where it says nothing."""
    told = json.dumps({"input": test.input, "output": test.output, "answer": text})
    found = outputs_of(str(test.checker), [told])[0]
    word = (found or "").strip().rpartition("\n")[2].strip().lower()
    if word not in ("right", "wrong"):
        raise CheckerError(f"the checker of a test printed {word[:80]!r}, expected right or wrong")
    return word == "right"


def _asserting() -> Program:
    compiled("python", "")  # says what is missing
    return with_files("python", {"sandboxed_asserts.py": source_of("sandboxed_asserts")}, (*PYTHON, "/box/sandboxed_asserts.py"))
