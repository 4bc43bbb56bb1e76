r"""Programs judged by tests: on standard input, by calls, or by assertions. The expected answers never enter the sandbox of
a program.

Two harnesses run Python. "plain" is what rewards and Codeforces use: `python3 program < input`, calls of functions, numbers with a
point compared with a tolerance, a checker where a problem has several right outputs. The others are LiveCodeBench's
(github.com/LiveCodeBench/LiveCodeBench, lcb_runner/evaluation/testing_util.py), for its own cell: output line by line without outer
white space, or else number by number as decimals; results of calls as Python compares them. A program is judged test by test
until the first that fails. Without a sandbox there is an error, never a verdict."""

import io
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeVar

from stages.verifiers.assertions import check_program, holds, parted
from stages.verifiers.claims import Verdict
from stages.verifiers.code_test_kinds import AssertTest, CallTest, StdinTest, Test
from stages.verifiers.languages import LANGUAGES
from stages.verifiers.output_comparison import close_output, close_result, same_output, same_result
from stages.verifiers.programs import PATIENCE, CompileError, Program, compiled, with_files
from stages.verifiers.sandbox import MiB, Run, SandboxUnavailableError

__all__ = ["AssertTest", "CallTest", "StdinTest", "Test", "ended", "judge", "outputs_of", "proven", "same_output", "same_result"]
Harness = Literal["plain", "lcb-2025-01", "lcb-2025-05"]
"""lcb-2025-01: LiveCodeBench's harness of January 2025 (commit 15808c7), whose programs see a plain StringIO as standard input;
lcb-2025-05: the later one, which gives them an object of its own."""
SECONDS = 6.0
"""CPU time of one test; LiveCodeBench gives as much on the wall clock of a machine that it has for itself."""
_PYTHON = ("/usr/bin/python3", "-S", "-s")
MEMORY = 4096 * MiB
"""What LiveCodeBench's harness says that it allows."""
MAX_OUTPUT = 16 * MiB
"""Bytes of one test's output."""
MAX_SHOWN = 200
_PACKAGE = ("stages/__init__.py", "stages/verifiers/__init__.py", "stages/verifiers/sandboxed_tests.py")


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
        failed = _first_failure(_Runner(program, language, seconds, harness), tests)
    except CompileError as error:
        return Verdict("wrong", program, str(error))
    except (SandboxUnavailableError, CheckerError) as error:
        return Verdict("error", program, str(error))
    return Verdict("right", program, f"passes {len(tests)} tests") if failed is None else Verdict("wrong", program, failed)


def outputs_of(program: str, inputs: Sequence[str], language: str = "python", seconds: float = SECONDS) -> list[str | None]:
    """What a program prints for each input; None from the first on which it fails. CompileError, SandboxUnavailableError."""
    answers = _Runner(program, language, seconds, "plain").answers(inputs, "stdin")
    found: list[str | None] = [text for text, reason in answers if reason is None]
    return found + [None] * (len(inputs) - len(found))


def proven(program: str, tests: str, seconds: float) -> str | None:
    """Run Python tests after a program, in one process as HumanEval's published harness does; None when they ran to their end, else
    why they did not."""
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


def _first_failure(runner: "_Runner", tests: Sequence[Test]) -> str | None:
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


def _reasons(runner: "_Runner", tests: Sequence[Test]) -> Iterator[str | None]:
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


def _assertions(runner: "_Runner", statements: Sequence[str]) -> Iterator[str | None]:
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


def _accepts(test: Test, text: str, runner: "_Runner") -> bool:
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


@dataclass(frozen=True)
class _Runner:
    """How a program is run."""

    program: str
    language: str
    seconds: float
    harness: Harness

    def given(self, text: str) -> str:
        """An input as the program gets it: plainly with the line ends of this system."""
        return text.replace("\r\n", "\n") if self.harness == "plain" else text

    def answers(self, inputs: Sequence[str], mode: str, function: str = "") -> Iterator[tuple[str, str | None]]:
        """Output of each input and why the run failed, if it did; the last is the first that failed."""
        ready = compiled(self.language, self.program)
        if self.language == "python":
            yield from self._in_one_sandbox(ready.files["main.py"], inputs, mode, function)
            return
        for text in inputs:
            done = ready.run(_bytes(text), self.seconds)
            yield done.stdout.decode("utf-8", "replace"), ended(done) if done.killed_for or done.returncode else None

    def _in_one_sandbox(self, source: bytes, inputs: Sequence[str], mode: str, function: str) -> Iterator[tuple[str, str | None]]:
        plain = self.harness == "plain"
        name, first = ("sandboxed_plain", mode) if plain else ("sandboxed_tests", self.harness)
        command = (*_PYTHON, f"/box/{name}.py", first, str(self.seconds), str(MAX_OUTPUT), function)
        limits = replace(
            LANGUAGES["python"].limits,
            memory=MEMORY,
            output=4 * MAX_OUTPUT,
            seconds=(PATIENCE * self.seconds + 1) * len(inputs) + 5,
        )
        files = {f"{name}.py": _source(name), "program.py": source, **(_package() if plain else {})}
        wanted = b"".join(b"%d\n%s" % (len(text), text) for text in map(_bytes, inputs))
        done = with_files("python", files, command, limits).run(wanted)
        yield from _told(done, len(inputs))


def _told(done: Run, count: int) -> Iterator[tuple[str, str | None]]:
    """What a harness told of each input, up to the first on which the program failed."""
    told = io.BytesIO(done.stdout)
    for _ in range(count):
        status, _, length = told.readline().decode("utf-8", "replace").partition(" ")
        if not length.strip().isdecimal() or len(length) > 12:
            yield "", ended(done) if done.killed_for or done.returncode else "it ended before the test did"
            return
        text = told.read(int(length)).decode("utf-8", "replace")
        stopped = status in ("time", "output")
        reason = None if status == "0" else f"stopped for {status}" if stopped else f"status {status}{_last(done)}"
        yield text, reason
        if reason is not None:
            return


def _asserting() -> Program:
    compiled("python", "")  # says what is missing
    return with_files("python", {"sandboxed_asserts.py": _source("sandboxed_asserts")}, (*_PYTHON, "/box/sandboxed_asserts.py"))


@cache
def _source(name: str) -> bytes:
    return (Path(__file__).parent / f"{name}.py").read_bytes()


@cache
def _package() -> dict[str, bytes]:
    """The modules that sandboxed_plain.py imports, by their names in /box."""
    return {name: (Path(__file__).parents[2] / name).read_bytes() for name in _PACKAGE}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
