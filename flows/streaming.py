"""Runs a program inside a Prefect task: each of its lines goes to Prefect's log and to the terminal, without passwords."""

import time
from collections.abc import Mapping
from pathlib import Path

from prefect import get_run_logger

from flows.processes import Group
from flows.progress import EVERY, Progress, Screen, Tail
from stages.run.secrets import hidden


class StageError(RuntimeError):
    """A stage ended with a code other than 0; the message carries its last words."""

    def __init__(self, name: str, code: int, reason: str) -> None:
        super().__init__(f"stage {name} failed (exit {code}): {reason}")
        self.code = code
        self.ended: list[str] = []
        """The stages of the pipeline's run that ended before."""


def stream(name: str, command: list[str], root: Path, environ: Mapping[str, str], screen: Screen) -> tuple[int, str]:
    """Run to the end, each line to Prefect's log and the terminal; the exit code and the last error line."""
    logger = get_run_logger()
    errors: list[str] = []

    def sink(line: str, stream: str) -> None:
        line = hidden(line)
        if stream == "stderr" and line.strip():
            errors[:] = [line]
        logger.info(line)
        screen.line(line, stream)

    progress, tail = Progress(name), Tail(root / f"artifacts/spool/{name}.jsonl", time.time())
    told = time.monotonic()
    with Group(command, sink, environ, root) as group:
        while (code := group.wait(0.5)) is None:
            progress.update(tail.rows())
            screen.progress(line := progress.line())
            if line and time.monotonic() - told > EVERY:
                told = time.monotonic()
                logger.info(line)
    screen.close()
    return code, errors[-1] if errors else "it printed no reason"
