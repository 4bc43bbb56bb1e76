"""Where the resumable state of a stage lies: outside DVC's outs, because DVC deletes those before it runs a stage."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stages.run.ranks import world_size

STATE = Path("artifacts/state")


def state_folder(stage: str, inputs: Sequence[Path], values: Any) -> Path:
    """The folder of a stage's state, keyed by the content of what the stage reads."""
    return STATE / stage / content_hash(inputs, [values, world_size()])[:16]


def content_hash(paths: Iterable[Path], values: Any = None) -> str:
    """SHA-256 of files, or of all files of folders with their names, and of JSON `values`."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(path)}".encode())
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
