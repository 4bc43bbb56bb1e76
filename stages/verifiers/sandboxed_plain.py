"""Runs inside the sandbox: a Python program plainly, once for each test, each in a process of its own.

"stdin": `python3 program.py < input`, nothing more: what it prints until it ends is its output, another status than 0 a failure.
"call": the function is looked for in a class Solution that has it, else in the program, and called with the JSON values that
stand on
the lines of the input; the result is told as sandboxed_tests.py tells it. "values": the input is JSON, statements to run after the
program and expressions whose values are told as typed literals.

Called with the mode, the CPU seconds of one test, the most bytes of its output, and the function's name or nothing. In and out as
sandboxed_tests.py has it."""

import json
import math
import os
import resource
import select
import signal
import sys
from types import ModuleType
from typing import Any

from stages.run.watching import usage
from stages.run.watching.clock import PATIENCE, Clock
from stages.verifiers.sandboxed_tests import OPAQUE, PREAMBLE, TIMED_OUT, TOO_MUCH, forked, parts, plain, too_late

PROGRAM = "/box/program.py"
PYTHON = ("/usr/bin/python3", "-s")
ONE_BYTE = f"""import sys; sys.stdin._CHUNK_SIZE = 1; sys.argv = [{PROGRAM!r}]
exec(compile(open({PROGRAM!r}, encoding="utf-8").read(), {PROGRAM!r}, "exec"), globals())"""
"""Runs a program whose `input()` takes no more than its line, so that `sys.stdin.buffer` has the rest; otherwise Python's
text stream would have read ahead, and what a program that mixes both gets would depend on the length of the input."""
MAX_NESTED = 100
_TICK = 0.05


def command_for(program: str) -> tuple[str, ...]:
    """How a program is started."""
    mixed = "stdin.buffer" in program and ("input(" in program or "stdin.read" in program)
    return (*PYTHON, "-c", ONE_BYTE) if mixed else (*PYTHON, PROGRAM)


def ran(command: tuple[str, ...], text: str, seconds: float, most: int) -> tuple[str, bytes]:
    """Status and output of the program on an input."""
    used = usage.cpu_seconds(usage.everyone())
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        given = os.memfd_create("input")
        left = memoryview(text.encode("utf-8", "surrogatepass"))
        while left:
            left = left[os.write(given, left) :]
        os.lseek(given, 0, os.SEEK_SET)
        os.dup2(given, 0)
        os.dup2(theirs, 1)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
        os.execv(command[0], command)
    os.close(theirs)
    output, clock, status, code = bytearray(), Clock(PATIENCE * seconds, lambda: usage.strain(usage.everyone())), "", None
    while not status:
        over = clock.over()
        ready = select.select([ours], [], [], clock.wait(_TICK))[0]
        if ready:
            piece = os.read(ours, 1 << 16)
            output += piece
            if len(output) > most:
                status = TOO_MUCH
            if not piece:
                break
        elif code is not None:
            break  # it has ended, and what it left running does not count
        elif over:
            status = too_late(used, seconds)
        if code is None:
            done, code = os.waitpid(child, os.WNOHANG)
            code = code if done else None
    if code is None and status:
        os.killpg(child, signal.SIGKILL)
    os.close(ours)
    code = os.waitpid(child, 0)[1] if code is None else code
    ended = os.waitstatus_to_exitcode(code)
    return status or (TIMED_OUT if ended == -signal.SIGXCPU else str(ended)), bytes(output[:most])


def loaded(program: str) -> ModuleType:
    """The program as a module, with the names that LeetCode's starter code takes for granted."""
    module = ModuleType("tmp_sol", "")
    exec(PREAMBLE, module.__dict__)
    sys.modules[module.__name__] = module
    exec(compile(program, PROGRAM, "exec", dont_inherit=True), module.__dict__)
    return module


def called(program: str, function: str, text: str) -> str:
    """What a call returns, as JSON."""
    dumps, arguments = json.dumps, [json.loads(line) for line in text.split("\n")] if text.strip() else []
    module = loaded(program)
    holder = getattr(module, "Solution", None)
    found = getattr(holder() if hasattr(holder, function) else module, function)  # type: ignore[misc]
    return dumps(plain(found(*arguments)))


def evaluated(program: str, text: str) -> str:
    """The values of expressions after statements, as typed literals."""
    dumps, wanted, tell = json.dumps, json.loads(text), literal
    names = loaded(program).__dict__
    values = []
    for kind, source in wanted:
        if kind == "run":
            exec(compile(source, "tests", "exec"), names)
        else:
            values.append(tell(eval(compile(source, "tests", "eval"), names)))
    return dumps(values)


def literal(value: Any, depth: int = 0) -> Any:
    """A value of Python's own types as [type, content]; anything else as something that is equal to nothing."""
    if depth > MAX_NESTED:
        return OPAQUE
    kind = next((name for name, base in _TYPES if isinstance(value, base)), None)
    if kind in ("list", "tuple", "set", "frozenset"):
        return [kind, [literal(one, depth + 1) for one in value]]
    if kind == "dict":
        return [kind, [[literal(name, depth + 1), literal(one, depth + 1)] for name, one in value.items()]]
    if kind == "bytes":
        return [kind, bytes(value).hex()]
    if kind == "str":
        return [kind, str.__str__(value)]
    if kind is not None:
        return [kind, repr(dict(_TYPES)[kind](value)) if kind != "NoneType" else "None"]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return literal(value.tolist(), depth + 1)
    if hasattr(value, "__next__"):
        return ["iterator", [literal(one, depth + 1) for one in value]]
    return OPAQUE


_TYPES: tuple[tuple[str, Any], ...] = (
    ("NoneType", type(None)),
    ("bool", bool),
    ("int", int),
    ("float", float),
    ("complex", complex),
    ("str", str),
    ("bytes", bytes),
    ("list", list),
    ("tuple", tuple),
    ("set", set),
    ("frozenset", frozenset),
    ("dict", dict),
)


def main(mode: str, seconds: float, most: int, function: str) -> None:
    """Run the tests, up to the first that fails."""
    with open(PROGRAM, encoding="utf-8") as file:
        program = file.read()
    inputs, out = parts(), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    if mode != "stdin":
        exec(PREAMBLE, {})  # once, so that every forked process has the modules already
    for text in inputs:
        if mode == "stdin":
            status, output = ran(command_for(program), text, seconds, most)
        elif mode == "call":
            status, output = forked(lambda given: called(program, function, given), text, seconds, most)
        else:
            status, output = forked(lambda given: evaluated(program, given), text, seconds, most)
        out.write(b"%s %d\n%s" % (status.encode(), len(output), output))
        out.flush()
        if status != "0":
            break


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
