"""Programs judged by tests: on standard input, by calls, or by assertions. The expected answers never enter the sandbox.

The rules of comparison are LiveCodeBench's (github.com/LiveCodeBench/LiveCodeBench, lcb_runner/evaluation/testing_util.py): output
line by line without outer white space, or else number by number as decimals; results of calls as Python compares them. A program
is judged test by test until the first that fails. Without a sandbox there is an error, never a verdict."""

import io
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from stages.verifiers.claims import Verdict
from stages.verifiers.languages import LANGUAGES
from stages.verifiers.programs import PATIENCE, CompileError, Program, compiled, with_files
from stages.verifiers.sandbox import MiB, Run, SandboxUnavailableError

SECONDS = 6.0
"""CPU time of one test; LiveCodeBench gives as much on the wall clock of a machine that it has for itself."""
_PYTHON = ("/usr/bin/python3", "-S", "-s")
MEMORY = 4096 * MiB
"""What LiveCodeBench's harness says that it allows."""
MAX_OUTPUT = 16 * MiB
"""Bytes of one test's output."""
MAX_SHOWN = 200
MAX_NUMBER = 50_000
"""Characters of a token that may be a number."""


@dataclass(frozen=True)
class StdinTest:
    """A program gets `input` and must print `output`."""

    input: str
    output: str


@dataclass(frozen=True)
class CallTest:
    """`function` gets the JSON values that stand on the lines of `arguments` and must return the JSON value `result`."""

    function: str
    arguments: str
    result: str


@dataclass(frozen=True)
class AssertTest:
    """Statements that raise when the program before them is wrong."""

    statements: str


Test = StdinTest | CallTest | AssertTest
T = TypeVar("T")


def judge(program: str, tests: Sequence[Test], language: str = "python", seconds: float = SECONDS) -> Verdict:
    """Right when every test passes. `language` other than python is for StdinTest only. ValueError without tests."""
    if not tests:
        raise ValueError("a program without tests cannot be judged")
    try:
        failed = _first_failure(program, tests, language, seconds)
    except CompileError as error:
        return Verdict("wrong", program, str(error))
    except SandboxUnavailableError as error:
        return Verdict("error", program, str(error))
    return Verdict("right", program, f"passes {len(tests)} tests") if failed is None else Verdict("wrong", program, failed)


def outputs_of(program: str, inputs: Sequence[str], language: str = "python", seconds: float = SECONDS) -> list[str | None]:
    """What a program prints for each input; None from the first on which it fails. CompileError, SandboxUnavailableError."""
    found: list[str | None] = [text for text, reason in _answers(program, inputs, language, None, seconds) if reason is None]
    return found + [None] * (len(inputs) - len(found))


def same_output(printed: str, expected: str) -> bool:
    """Whether the official comparison accepts `printed`."""
    mine, theirs = ([line.strip() for line in text.strip().split("\n")] for text in (printed, expected))
    if len(mine) != len(theirs):
        return False
    return all(a == b or _same_numbers(a, b) for a, b in zip(mine, theirs, strict=True))


def same_result(printed: str, expected: str) -> bool:
    """Whether what sandboxed_tests.py told of a result is equal to the JSON value `expected`."""
    try:
        return bool(json.loads(printed) == _told(json.loads(expected)))
    except (ValueError, RecursionError):
        return False


def proven(program: str, tests: str, seconds: float) -> str | None:
    """Run Python tests after a program; None when they ran to their end, else why they did not."""
    word = secrets.token_hex(16)
    parts = [_bytes(part) for part in (program, tests, word)]
    done = _asserting().run(b"".join(b"%d\n%s" % (len(part), part) for part in parts), seconds)
    if done.stdout.endswith(word.encode()) and done.returncode == 0 and not done.killed_for:
        return None
    return "it ended before its tests did" if done.returncode == 0 and not done.killed_for else ended(done)


def ended(done: Run) -> str:
    """How a run that failed ended, in a sentence."""
    if done.killed_for:
        return f"stopped for {'time' if done.killed_for == 'cpu' else done.killed_for}"
    return f"status {done.returncode}{_last(done)}"


def _last(done: Run) -> str:
    """The last line of standard error, in brackets."""
    lines = done.stderr[-2000:].decode("utf-8", "replace").strip().splitlines()
    return f" ({lines[-1][:MAX_SHOWN]})" if lines else ""


def _first_failure(program: str, tests: Sequence[Test], language: str, seconds: float) -> str | None:
    """Test by test in the order given; tests of one kind that follow each other share a sandbox."""
    done = 0
    for kind, group in groupby(tests, lambda test: (type(test), test.function if isinstance(test, CallTest) else None)):
        for batch in _growing(list(group)):
            for number, reason in enumerate(_reasons(program, batch, kind[1], language, seconds), done + 1):
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


def _reasons(program: str, tests: Sequence[Test], function: str | None, language: str, seconds: float) -> Iterator[str | None]:
    """For each test why it failed, or None; up to the first failure."""
    if isinstance(tests[0], AssertTest):
        yield from (proven(program, test.statements, seconds) for test in tests if isinstance(test, AssertTest))
        return
    inputs = [test.input if isinstance(test, StdinTest) else test.arguments for test in tests if not isinstance(test, AssertTest)]
    answers = _answers(program, inputs, language, function, seconds)
    for test, (text, reason) in zip(tests, answers, strict=False):
        right = same_output(text, test.output) if isinstance(test, StdinTest) else same_result(text, getattr(test, "result", ""))
        yield reason or (None if right else f"gave {text[:MAX_SHOWN]!r}")


def _answers(
    program: str, inputs: Sequence[str], language: str, function: str | None, seconds: float
) -> Iterator[tuple[str, str | None]]:
    """Output of each input and why the run failed, if it did; the last is the first that failed."""
    ready = compiled(language, program)
    if language == "python":
        yield from _in_one_sandbox(ready.files["main.py"], inputs, function or "", seconds)
        return
    for text in inputs:
        done = ready.run(_bytes(text), seconds)
        yield done.stdout.decode("utf-8", "replace"), ended(done) if done.killed_for or done.returncode else None


def _in_one_sandbox(source: bytes, inputs: Sequence[str], function: str, seconds: float) -> Iterator[tuple[str, str | None]]:
    command = (*_PYTHON, "/box/sandboxed_tests.py", str(seconds), str(MAX_OUTPUT), function)
    limits = replace(
        LANGUAGES["python"].limits, memory=MEMORY, output=4 * MAX_OUTPUT, seconds=(PATIENCE * seconds + 1) * len(inputs) + 5
    )
    ready = with_files("python", {"sandboxed_tests.py": _source("sandboxed_tests"), "program.py": source}, command, limits)
    wanted = b"".join(b"%d\n%s" % (len(text), text) for text in map(_bytes, inputs))
    done = ready.run(wanted)
    told = io.BytesIO(done.stdout)
    for _ in inputs:
        status, _, length = told.readline().decode("utf-8", "replace").partition(" ")
        if not length.strip().isdecimal() or len(length) > 12:
            yield "", ended(done) if done.killed_for or done.returncode else "it ended before the test did"
            return
        text = told.read(int(length)).decode("utf-8", "replace")
        reason = (
            None if status == "0" else f"stopped for {status}" if status in ("time", "output") else f"status {status}{_last(done)}"
        )
        yield text, reason
        if reason is not None:
            return


def _asserting() -> Program:
    compiled("python", "")  # says what is missing
    return with_files("python", {"sandboxed_asserts.py": _source("sandboxed_asserts")}, (*_PYTHON, "/box/sandboxed_asserts.py"))


@cache
def _source(name: str) -> bytes:
    return (Path(__file__).parent / f"{name}.py").read_bytes()


def _same_numbers(first: str, second: str) -> bool:
    """Whether two lines hold the same numbers, token by token."""
    one, other = first.split(), second.split()
    if len(one) != len(other) or any(len(token) > MAX_NUMBER for token in (*one, *other)):
        return False
    try:
        return [Decimal(token) for token in one] == [Decimal(token) for token in other]
    except InvalidOperation:
        return False


def _told(value: Any) -> Any:
    """A JSON value as sandboxed_tests.py tells it."""
    if isinstance(value, list):
        return {"list": [_told(one) for one in value]}
    if isinstance(value, dict):
        return {"pairs": [[name, _told(one)] for name, one in value.items()]}
    return value


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
