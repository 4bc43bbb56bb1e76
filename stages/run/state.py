"""Where the resumable state of a stage lies: outside DVC's outs, because DVC deletes those before it
runs a stage. It belongs to what the stage reads, to values that decide results, and to its code."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stages.data.files import DataError, write_bytes
from stages.run import sources
from stages.run.ranks import rank, world_size

STATE = Path("artifacts/state")
CODE = "code.zip"
"""In a state's folder: the code that began it."""
RESUME = "K15_RESUME"
"""Environment variable; `anyway`: go on from a state that other code began."""


def state_folder(stage: str, inputs: Sequence[Path], values: Any) -> Path:
    """The folder of the state of `stage` (PROGRAM or PROGRAM-ITEM), keyed by the content of what the
    stage reads and by `values`. The code is noted there at the beginning. DataError names what has
    changed since, unless K15_RESUME says to go on."""
    folder = kept_folder(stage, inputs, values)
    _belongs(folder, sources.code_of(stage.split("-")[0]))
    return folder


def kept_folder(stage: str, inputs: Sequence[Path], values: Any) -> Path:
    """The same for what no code of ours decides, such as the answers of a teacher."""
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


def _belongs(folder: Path, code: dict[str, bytes]) -> None:
    """See to it that the state in `folder` and `code` belong together. Ranks come here at different
    times, and equal code writes equal notes."""
    note = folder / CODE
    if not _resumable(folder):
        if sources.unpacked(note) != code:
            write_bytes(note, sources.packed(code))
        return
    then = sources.unpacked(note)
    names = sources.changed(then)
    if then and not names:
        return
    what = f"other code began it ({sources.listed(names)})" if then else f"it is not known which code began it ({CODE})"
    said = os.environ.get(RESUME)
    if said != "anyway":
        wrong = f"; {RESUME}={said} is not known" if said else ""
        raise DataError(
            f"{folder}: this state is not gone on with: {what}; {RESUME}=anyway goes on, `dvc repro --force STAGE` or removing the "
            f"folder starts afresh{wrong}"
        )
    if rank() == 0:
        print(f"{folder}: {RESUME}=anyway: goes on although {what}", flush=True)
        write_bytes(note, sources.packed(code))


def _resumable(folder: Path) -> bool:
    """Whether there is more than the note, and what a killed writer of it left beside it."""
    return folder.is_dir() and any(path.name != CODE and not path.name.startswith(f".{CODE}.") for path in folder.iterdir())
