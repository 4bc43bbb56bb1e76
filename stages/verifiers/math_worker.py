"""The worker program that compares mathematical answers: one JSON request a line in, one reply a line out.

It runs in a process of its own (stages/verifiers/processes.py) because algebra on a model's text may never end;
math-verify's own time limits (signal.alarm) are off and the parent's wall clock decides."""

import json
import logging
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

MEMORY_BYTES = 3 << 30
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
Reply = tuple[str, str]


def _parse(answer: str) -> list[Any]:
    from math_verify import parse

    return list(parse(f"\\boxed{{{answer}}}", parsing_timeout=None))


def equal(gold: str, answer: str) -> Reply:
    """("right" | "wrong" | "error", reason) for a gold answer and the content of a box."""
    from math_verify import verify

    expected = _parse(gold)
    if not expected:
        return "error", f"the gold answer {gold[:80]!r} cannot be parsed"
    found = _parse(answer)
    if not found:
        return "wrong", "the boxed answer cannot be parsed"
    if verify(expected, found, timeout_seconds=None):
        return "right", "equal by math-verify"
    return "wrong", "not equal by math-verify"


def value(latex: str, _: str) -> Reply:
    """("value", the number that the LaTeX text evaluates to, 15 digits) or ("none", reason) when it is no single number."""
    import sympy
    from latex2sympy2_extended import latex2sympy

    expression = latex2sympy(latex)
    if not isinstance(expression, sympy.Expr) or expression.free_symbols:
        return "none", "not a number"
    number = expression.evalf(15)
    return ("value", str(number)) if number.is_Float or number.is_Integer else ("none", "not a real number")


OPERATIONS: dict[str, Callable[[str, str], Reply]] = {"equal": equal, "value": value}


def answer_request(operation: str, first: str, second: str) -> Reply:
    """Run one operation; whatever the algebra packages raise becomes an "error" reply with its name."""
    try:
        return OPERATIONS[operation](first, second)
    except MemoryError:
        return "error", "out of memory"
    except RecursionError:
        return "error", "nested too deeply"
    except Exception as error:  # noqa: BLE001 - any failure inside sympy or antlr is a verdict, not a crash
        return "error", f"{type(error).__name__}: {str(error)[:120]}"


def serve() -> None:
    """Answer requests until standard input ends. The first line out says that the imports are done."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    logging.disable(logging.CRITICAL)
    replies = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)  # a package that prints must not break the protocol
    equal("1", "\\frac{2}{2}")
    print(json.dumps(["ready", ""]), file=replies)
    for line in sys.stdin:
        operation, first, second = json.loads(line)
        print(json.dumps(answer_request(operation, first, second)), file=replies)


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even in the middle of a computation."""
    import ctypes
    import signal

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent()
    serve()
