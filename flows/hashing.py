"""Big checkpoints are hashed before DVC commits them. DVC does that under its lock, and a command that wants the lock gives up
after three seconds; here no lock is held, the GPU is free for the next stage, and DVC then finds the hash in its state."""

import importlib.util
from pathlib import Path

from flows import graph
from stages.run.phases import HANDED_ON

BIG = 1 << 28
"""Bytes; DVC hashes smaller checkpoints in half a second, less than it takes to import DVC here."""


def hash_checkpoints(root: Path, stage: str, since: float) -> None:
    """Let DVC hash the checkpoints of `stage` (written after `since`, seconds since 1970), if there are big ones. Of one that was
    handed on it knows the hashes."""
    notes = [note for note in (root / graph.MODELS).glob(f"*/{HANDED_ON}") if note.stat().st_mtime >= since]
    handed = sum(_size(note.parent, 0) for note in notes)
    if importlib.util.find_spec("dvc") and max(handed, _size(root / graph.MODELS, since)) >= BIG:
        try:
            if handed:
                graph.lend_hashes(root, stage)
            graph.digests(root, stage)
        except graph.GraphError:  # not one of dvc.yaml's: run by hand under a name of its own
            return


def _size(folder: Path, since: float) -> int:
    """Bytes of the files below `folder` that were written after `since`."""
    facts = (path.stat() for path in folder.rglob("*") if path.is_file())
    return sum(fact.st_size for fact in facts if fact.st_mtime >= since)
