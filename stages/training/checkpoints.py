"""Exact resume: state is written beside and renamed into place, and names the inputs that it belongs to."""

import hashlib
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.data.files import DataError, write_json
from stages.run.ranks import rank, world_size
from stages.training.engine import Engine, barrier

STATE = Path("artifacts/state")


def state_folder(stage: str, inputs: Sequence[Path], values: Any) -> Path:
    """Where the resumable state of a stage lies: outside DVC's outs, keyed by the content of what the stage reads."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode())
    digest.update(str(world_size()).encode())
    for path in inputs:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(path)}".encode())
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return STATE / stage / digest.hexdigest()[:16]


def save_state(engine: Engine, folder: Path, step: int, extra: dict[str, Any]) -> None:
    """Weights, optimizer, random streams and `extra` of this moment; the previous state goes only when this one is whole."""
    name = f"step-{step:08d}"
    beside = folder / f".{name}"
    if rank() == 0:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True, exist_ok=True)
    barrier()
    client = {"step": step, "extra": extra}
    try:
        engine.deepspeed.save_checkpoint(str(beside), tag="state", client_state=client, save_latest=False)
        torch.save(_random_states(), beside / f"random-{rank()}.pt")
    except (OSError, RuntimeError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise DataError(
            f"{beside}: cannot save the training state ({error}); the last good state is kept; free disk space"
        ) from error
    barrier()
    if rank() == 0:
        beside.rename(folder / name)
        write_json(folder / "latest.json", {"state": name, "step": step})
        for old in folder.glob("step-*"):
            if old.name != name:
                shutil.rmtree(old)
    barrier()


def load_state(engine: Engine, folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Go back to the last whole state: (step, extra), or None when there is none."""
    latest = folder / "latest.json"
    if not latest.exists():
        return None
    where = folder / json.loads(latest.read_text(encoding="utf-8"))["state"]
    if not where.is_dir():
        raise DataError(f"{latest} names {where.name}, which is not there; delete {folder} to start afresh")
    _, client = engine.deepspeed.load_checkpoint(str(where), tag="state")
    states = torch.load(where / f"random-{rank()}.pt", weights_only=False)
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


def _random_states() -> dict[str, Any]:
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states
