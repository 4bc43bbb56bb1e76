"""The worker program that compares answers and checks instructions: one JSON request a line in, one reply a line out.

It runs in a process of its own (stages/verifiers/processes.py) because algebra on a model's text
may never end; the parent's wall clock decides."""

import json
import logging
import os
import resource
import sys
from collections.abc import Callable

from stages.verifiers.instruction_following import judge
from stages.verifiers.math_answer import Reply, equal, readable, value
from stages.verifiers.named_graders import math_verify, prm800k
from stages.verifiers.qwen_grader import qwen

MEMORY_BYTES = 3 << 30
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


OPERATIONS: dict[str, Callable[..., Reply]] = {
    "equal": equal, "readable": readable, "value": value, "instructions": judge, "math-verify": math_verify, "prm800k": prm800k,
    "qwen": qwen,
}  # fmt: skip


def answer_request(operation: str, *arguments: str) -> Reply:
    """Run one operation; whatever the algebra packages raise becomes an "error" reply with its name."""
    try:
        return OPERATIONS[operation](*arguments)
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
        print(json.dumps(answer_request(*json.loads(line))), file=replies)


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even in the middle of a computation."""
    import ctypes
    import signal

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent()
    serve()
