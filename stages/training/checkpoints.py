"""Exact resume: a state is written beside, with digests of its files, and renamed into place once it
is on the disk. The last two are kept; a damaged one is passed over for the one before it."""

import os
import pickle
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.data import digests
from stages.data.files import DataError, make_folder, put_in_place, write_json
from stages.run.ranks import during, rank, share
from stages.training.engine import Engine, agreed, barrier, check_weights, gather_objects

WRITING = ("PytorchStreamWriter", "inline_container")
"""Where torch's own writer of files fails; other RuntimeErrors while saving are of collectives, because a rank is gone."""
SHARE = 0.05
"""Of the time, at most, that saving takes; ours."""
KEPT = 2
"""Whole states that stay."""


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
    """Weights, optimizer, random streams and `extra` of this moment. The oldest state goes only when
    this one is on the disk.

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
    _digest(beside)
    if rank() == 0:
        _put_in_place(beside, folder / name)
        older = [place for place in _places(folder) if place.name < name]
        for place in {*_places(folder)} - {folder / name, *older[: KEPT - 1]}:
            shutil.rmtree(place)
    barrier()


def _digest(beside: Path) -> None:
    """Write the digests of all files; each rank reads its share, which lies in memory still."""
    names: list[str] = gather_objects(digests.files_of(beside))[0]
    parts = gather_objects(digests.digests_of(beside, share(names)))
    if rank() == 0:
        write_json(beside / digests.FILE, {name: digest for part in parts for name, digest in part.items()})


def load_state(engine: Engine, folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Go back to the last whole state: (step, extra), or None when there is none. A damaged one is
    removed with a message when an earlier one is whole. DataError when none is, or when the state
    is not this model's."""
    where = _whole(folder)
    if where is None:
        return None
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
    """The stage is done: once all that it made is on the disk, its state is of no more use."""
    barrier()
    if rank() == 0:
        os.sync()
        shutil.rmtree(folder, ignore_errors=True)


def _places(folder: Path) -> list[Path]:
    """The states of a run, the last one first."""
    return sorted(folder.glob("step-*"), reverse=True)


def _whole(folder: Path) -> Path | None:
    """The last state whose files are all as they were written, the same for all ranks; those after
    it are removed. None where there is no state; DataError where none is whole."""
    names: list[str] = gather_objects([place.name for place in _places(folder)])[0]
    damaged: list[str] = []
    for place in (folder / name for name in names):
        found = [fault for part in gather_objects(_faults(place)) for fault in part]
        if not found:
            if rank() == 0:
                for name, fault in zip(names, damaged, strict=False):
                    print(f"{fault}: this state is removed, and training goes on from {place.name}", flush=True)
                    shutil.rmtree(folder / name)
            return place
        damaged.append(f"{place}/{found[0]}")
    if damaged:
        raise DataError(f"no whole training state ({'; '.join(damaged)}); delete {folder} to start afresh")
    return None


def _faults(place: Path) -> list[str]:
    """What is wrong with this rank's share of a state's files, in words."""
    try:
        known = digests.written(place)
    except (OSError, ValueError) as error:
        return [f"{digests.FILE} cannot be read ({getattr(error, 'strerror', None) or error})"]
    return digests.faults(place, share(sorted({*known, *digests.files_of(place)})), known)


def _put_in_place(beside: Path, place: Path) -> None:
    """Rename a state into place once all of it is on the disk. DataError where that fails."""
    try:
        put_in_place(beside, place)
    except OSError as error:
        raise DataError(_unsaved(beside, error)) from error


def _made(folder: Path) -> None:
    try:
        make_folder(folder)
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
