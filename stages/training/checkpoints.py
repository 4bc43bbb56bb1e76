"""Exact resume: state is written beside and renamed into place, and names the inputs that it belongs to."""

import json
import pickle
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.data.files import DataError, sync, write_json
from stages.run.ranks import during, rank
from stages.training.engine import Engine, agreed, barrier, check_weights

WRITING = ("PytorchStreamWriter", "inline_container")
"""Where torch's own writer of files fails; other RuntimeErrors while saving are of collectives, because a rank is gone."""
SHARE = 0.05
"""Of the time, at most, that saving takes; ours."""


class SaveClock:
    """Tells all ranks together when the next save is due: `every` seconds after the end of the last one, or later where that would
    take more than SHARE of the time. With 0 it is due after each step, whatever that takes."""

    def __init__(self, every: float) -> None:
        self.every = every
        self.next = time.monotonic() + every

    def due(self) -> bool:
        """Whether it is time to save, by the clock of rank 0 (all ranks must call; their own clocks may differ)."""
        return agreed(time.monotonic() >= self.next)

    def save(self, write: Callable[[], None]) -> None:
        """Call `write`, which saves; the interval up to the next save begins when it ends."""
        began = time.monotonic()
        write()
        ended = time.monotonic()
        rest = (ended - began) * (1 - SHARE) / SHARE if self.every else 0.0
        self.next = ended + max(self.every, rest)


def save_state(engine: Engine, folder: Path, step: int, extra: dict[str, Any]) -> None:
    """Weights, optimizer, random streams and `extra` of this moment; the previous state goes only when this one is whole.

    Raises DataError when it cannot be written, NotFiniteError for weights that are not finite (the
    previous state stays); a rank that waits for one that is gone says so, with its rank and step."""
    with during(f"saving the state of step {step}"):
        check_weights(engine, f"the state after step {step}")
        _save(engine, folder, step, extra)


def _save(engine: Engine, folder: Path, step: int, extra: dict[str, Any]) -> None:
    name = f"step-{step:08d}"
    beside = folder / f".{name}"
    if rank() == 0:
        for left_over in (beside, folder / name):  # of a run that was killed while it saved
            shutil.rmtree(left_over, ignore_errors=True)
        _made(beside)
    barrier()
    client = {"step": step, "extra": extra}
    try:
        engine.deepspeed.save_checkpoint(str(beside), tag="state", client_state=client, save_latest=False)
        torch.save(_random_states(), beside / f"random-{rank()}.pt")
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(word in str(error) for word in WRITING):
            raise
        shutil.rmtree(beside, ignore_errors=True)
        raise DataError(_unsaved(beside, error)) from error
    barrier()
    if rank() == 0:
        _put_in_place(beside, folder / name)
        write_json(folder / "latest.json", {"state": name, "step": step})
        for old in folder.glob("step-*"):
            if old.name != name:
                shutil.rmtree(old)
    barrier()


def load_state(engine: Engine, folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Go back to the last whole state: (step, extra), or None when there is none. DataError when it is broken."""
    latest = folder / "latest.json"
    if not latest.exists():
        return None
    try:
        where = folder / json.loads(latest.read_text(encoding="utf-8"))["state"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{latest}: no name of a training state ({error}); delete {folder} to start afresh") from error
    if not where.is_dir():
        raise DataError(f"{latest} names {where.name}, which is not there; delete {folder} to start afresh")
    try:
        path, client = engine.deepspeed.load_checkpoint(str(where), tag="state")
        if path is None:
            raise ValueError("no checkpoint of DeepSpeed in it")
        states = torch.load(where / f"random-{rank()}.pt", weights_only=False)
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, AssertionError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{where}: a broken training state ({type(error).__name__}: {reason}); delete {folder} to start afresh"
        ) from error
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
    return int(client["step"]), dict(client["extra"])


def drop_state(folder: Path) -> None:
    """The stage is done: its resumable state is of no more use."""
    barrier()
    if rank() == 0:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(beside: Path, place: Path) -> None:
    """Rename a whole state into place once all of it is on the disk (fsync of each file and folder).
    DataError where that fails."""
    try:
        for path in sorted(beside.rglob("*"), reverse=True):
            sync(path)
        sync(beside)
        beside.rename(place)
        sync(place.parent)
    except OSError as error:
        raise DataError(_unsaved(beside, error)) from error


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(_unsaved(folder, error)) from error


def _unsaved(folder: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    return f"{folder}: cannot save the training state ({reason}); the last good state is kept; free disk space"


def _random_states() -> dict[str, Any]:
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states
