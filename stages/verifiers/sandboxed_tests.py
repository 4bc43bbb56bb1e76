"""Runs inside the sandbox: a Python program on several inputs, each in a forked process, as LiveCodeBench's harness runs it.

Rules (github.com/LiveCodeBench/LiveCodeBench, lcb_runner/evaluation/testing_util.py). Standard input: a last
`if __name__ == '__main__'` is unwrapped; imports stay outside, all else becomes the body of a function, which is called;
`sys.stdin` gives the input, as INPUTS has it, file 0 does not; what was printed when the function returns is the output;
`exit()` is caught; any
other exception is a failure, and so is a class named Solution. A thread that is not joined has, there and here, one switch interval
of the interpreter (5 ms) for what it prints. Calls: the function is looked for in a class Solution when the program has one, else
in the program; each line of the input is one argument in JSON; what Python counts as equal to a JSON value is told as that value,
anything else as something equal to nothing.

Called with the harness, the CPU seconds of one test, the most bytes of its output, and the function's name or nothing. In:
for each test a
line with its length, then its input. Out: for each test, up to the first that fails, a line "status length", then its output."""

import ast
import contextlib
import io
import json
import math
import os
import resource
import select
import signal
import sys
from collections.abc import Callable
from numbers import Integral
from types import ModuleType
from typing import Any

from stages.run.watching import usage
from stages.run.watching.clock import PATIENCE, Clock

PROGRAM = "/box/program.py"
TIMED_OUT, TOO_MUCH, STARVED = "time", "output", "clock"
"""A status that is no number: its CPU time was used up; it printed too much; the wall clock came first."""
STARRED = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools"),
    *("functools", "operator", "io", "sys", "json", "builtins", "typing"),
)
PREAMBLE = (
    "".join(f"from {name} import *\n" for name in STARRED)
    + "".join(f"import {name}\n" for name in STARRED if name not in ("builtins", "typing"))
    + "sys.setrecursionlimit(50000)\n"
)
"""What every program may use without importing it."""
OPAQUE = {"not JSON": True}
"""Stands for what is equal to no JSON value: lists and mappings are told as {"list": ...} and {"pairs": ...}."""


def as_function(program: str) -> ast.Module:
    """A program that reads standard input, as the harness calls it."""
    statements = ast.parse(program).body
    last = statements[-1] if statements else None
    if isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'":
        statements = [*statements[:-1], *last.body]
    function = ast.parse("def wrapped_function(): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    imports = [one for one in statements if isinstance(one, ast.Import | ast.ImportFrom)]
    function.body = [one for one in statements if not isinstance(one, ast.Import | ast.ImportFrom)] or function.body
    tree = ast.fix_missing_locations(ast.Module([*ast.parse(PREAMBLE).body, *imports, function], []))
    if "class Solution" in program and "class Solution" in ast.unparse(tree):
        raise TypeError("a class Solution in a program that reads standard input")
    return tree


class Input(io.StringIO):
    """`sys.stdin` of the harness of May 2025: `read` and `readlines` always give everything, lines come as from any file."""

    buffer: Any

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.buffer = Buffer(text.encode("utf-8", "surrogatepass"))

    def read(self, *_: object) -> str:
        return self.text

    def readlines(self, *_: object) -> list[str]:  # type: ignore[override]
        return self.text.split("\n")


class Buffer(io.BytesIO):
    """Its `buffer`: `read` always gives everything, `readline` always the first line."""

    def read(self, *_: object) -> bytes:
        return self.getvalue()

    def readline(self, *_: object) -> bytes:
        return self.getvalue().split(b"\n")[0] + b"\n"


INPUTS: dict[str, Callable[[str], io.StringIO]] = {"lcb-2025-01": io.StringIO, "lcb-2025-05": Input}
"""What `sys.stdin` is. In January 2025 a plain StringIO: the harness' own methods were put on the stream that it replaced."""


def printed(module: ModuleType, text: str, harness: str) -> str:
    """What the wrapped program prints for an input."""
    captured = io.StringIO()
    sys.stdin, sys.stdout = INPUTS[harness](text), captured
    with contextlib.suppress(SystemExit):
        module.wrapped_function()
    return captured.getvalue()


def returned(holder: Any, function: str, text: str) -> str:
    """What a call returns, as JSON."""
    arguments = [json.loads(line) for line in text.split("\n")]
    dumps = json.dumps
    return dumps(plain(getattr(holder, function)(*arguments)))


def plain(value: Any, top: bool = True) -> Any:
    """The JSON value that a result is equal to; of tuples only one at the top is equal to a list."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, list) or (top and isinstance(value, tuple)):
        return {"list": [plain(one, False) for one in value]}
    if isinstance(value, dict):
        return {"pairs": [[plain(name, False), plain(one, False)] for name, one in value.items()]}
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return plain(value.item(), False)
    return OPAQUE


def forked(work: Callable[[str], str], text: str, seconds: float, most: int) -> tuple[str, bytes]:
    """Status and output of `work` in a process of its own: "0" when it came to its end."""
    used = usage.cpu_seconds(usage.everyone())
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
        write, leave = os.write, os._exit
        left = memoryview(work(text).encode("utf-8", "surrogatepass"))
        while left:
            left = left[write(theirs, left) :]
        leave(0)
    os.close(theirs)
    output, clock, status = bytearray(), Clock(PATIENCE * seconds, lambda: usage.strain(usage.everyone())), ""
    while not status:
        over = clock.over()
        if not select.select([ours], [], [], clock.wait())[0]:
            status = too_late(used, seconds) if over else ""
        elif not (piece := os.read(ours, 1 << 16)):
            break
        elif len(output := output + piece) > most:
            status = TOO_MUCH
    if status:
        os.kill(child, signal.SIGKILL)
    os.close(ours)
    _, code = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(code)
    return status or (TIMED_OUT if ended == -signal.SIGXCPU else str(ended)), bytes(output[:most])


def too_late(used: float, seconds: float) -> str:
    """The status of a program that the wall clock stops, by the CPU time in this sandbox since `used` was its sum."""
    return TIMED_OUT if usage.cpu_seconds(usage.everyone()) - used >= usage.SERVED * seconds else STARVED


def parts() -> list[str]:
    """The inputs."""
    source, found = sys.stdin.buffer, []
    while line := source.readline():
        found.append(source.read(int(line)).decode("utf-8", "surrogatepass"))
    return found


def main(harness: str, seconds: float, most: int, function: str) -> None:
    """Run the tests; a program that cannot even be loaded fails with status 1."""
    sys.set_int_max_str_digits(50000)
    with open(PROGRAM, encoding="utf-8") as file:
        program = file.read()
    inputs, out = parts(), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    module = ModuleType("tmp_sol", "")
    code = compile(PREAMBLE + "\n\n" + program if function else as_function(program), PROGRAM, "exec")

    def work(text: str) -> str:
        exec(code, module.__dict__)
        if not function:
            return printed(module, text, harness)
        return returned(module.Solution() if "class Solution" in program else module, function, text)

    exec(PREAMBLE, {})  # once, so that every forked process has the modules already
    for text in inputs:
        status, output = forked(work, text, seconds, most)
        out.write(b"%s %d\n%s" % (status.encode(), len(output), output))
        out.flush()
        if status != "0":
            break


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
