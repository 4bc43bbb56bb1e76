"""Stage programs and ranks as processes of their own, forked from a server that has loaded torch and DeepSpeed once."""

import importlib
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

PRELOAD = [
    "deepspeed",
    "stages.training.supervised",
    "stages.long2short.direct_preference",
    "stages.policy.phase",
]


def context() -> ForkServerContext:
    """Processes started by it are forked from the server, so that they start in no time and share nothing with the tests."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(PRELOAD)
    return made


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def started(function: Callable[..., None], folder: Path, log: str, *arguments: Any, **environment: str) -> BaseProcess:
    """Call `function(*arguments)` in a process in `folder`; what it prints goes to `log` there."""
    process = context().Process(target=_call, args=(folder, log, environment, function, arguments), daemon=True)
    process.start()
    return process


def stage(module: str, arguments: list[str], folder: Path, log: str = "log.txt", **environment: str) -> BaseProcess:
    """`python -m module arguments` in `folder`."""
    return started(_stage, folder, log, module, arguments, **environment)


def ranks(count: int, function: Callable[..., None], folder: Path, *arguments: Any, **environment: str) -> list[BaseProcess]:
    """`function(*arguments)` on `count` ranks that can reach each other."""
    port = str(free_port())
    return [
        started(
            function,
            folder,
            f"rank{rank}.txt",
            *arguments,
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(count),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
            **environment,
        )
        for rank in range(count)
    ]


def ended(process: BaseProcess, seconds: float = 500) -> int:
    """The exit code (minus the signal's number when one ended it)."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"{process.name} did not end within {seconds} s")
    return process.exitcode


def _call(folder: Path, log: str, environment: dict[str, str], function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.chdir(folder)
    os.environ.update({"OMP_NUM_THREADS": "1", **environment})
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    function(*arguments)


def _stage(module: str, arguments: list[str]) -> None:
    from stages.run.program import run

    sys.argv = [module, *arguments]
    run(importlib.import_module(module).main)
