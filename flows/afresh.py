"""`--force` starts a stage afresh: what an interrupted run of it left to resume is dropped before it begins."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil

from stages.run.state import STATE

FRESH = "K15_FRESH"
"""Set by the flow: 1 in a forced run, 0 in a retry of one, which goes on where the first try was. Without it DVC's command line
says."""


def wanted() -> bool:
    """Whether this stage was forced: by the flow, by `dvc repro --force`, by `dvc exp run --force`."""
    if said := os.environ.get(FRESH):
        return said == "1"
    for parent in psutil.Process().parents():
        try:
            words = parent.cmdline()
        except psutil.Error:  # it ended, or is another user's
            continue
        if (options := dvc_options(words)) is not None:
            return any(word == "--force" or re.fullmatch(r"-[A-Za-z]*f[A-Za-z]*", word) for word in options)
    return False


def dvc_options(words: Sequence[str]) -> list[str] | None:
    """What follows `dvc repro` or `dvc exp run` in a command line; None when it is another program's."""
    for place, word in enumerate(words):
        if Path(word).name == "dvc":
            rest = list(words[place + 1 :])
            for command in (["repro"], ["exp", "run"], ["experiments", "run"]):
                if command[-1] in rest and set(command) <= set(rest):
                    return rest[rest.index(command[-1]) + 1 :]
    return None


def drop(root: Path, stage: str) -> None:
    """Remove the resumable state of a stage, and the curve of the run that it belongs to."""
    shutil.rmtree(root / STATE / stage.replace("@", "-"), ignore_errors=True)
    (root / f"artifacts/spool/{stage}.jsonl").unlink(missing_ok=True)
