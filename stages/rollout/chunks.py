"""What a model answers in chunks (curate, sample): each rank takes every n-th chunk, what is done lies on disk, and a run that was
killed does not ask for it again.

Ranks meet in files: each goes through the same program, works on its own chunks, then reads all of them. So what comes out does not
depend on how many there are."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stages.data.files import DataError, write_text
from stages.run.ranks import collective_time_out, during, rank, share, world_size

T = TypeVar("T")
POLL = 0.2
"""Seconds between two looks for the chunks of other ranks."""


@dataclass(frozen=True)
class Chunks:
    """Chunks under `folder`, which is the state of one run of a stage (stages.run.state)."""

    folder: Path
    progress: Callable[[int, int, str], None] = lambda *_: None
    """Told (done, total, unit) by the first rank as chunks end, anybody's."""

    def rows(
        self, name: str, items: Sequence[T], size: int, unit: str, work: Callable[[int, Sequence[T]], Sequence[Any]]
    ) -> list[Any]:
        """A JSON value for each of `items`, in order, from `work(place of the first item, items of a chunk)`, which must depend on
        nothing else. Every rank gets all of them. DataError for a chunk on disk that is not what was written."""
        files = {start: self.folder / name / f"{start:09d}.json" for start in range(0, len(items), size)}
        told = 0

        def whole() -> bool:
            """Whether all chunks are there; the first rank tells how many are."""
            nonlocal told
            done = sum(min(size, len(items) - start) for start, file in files.items() if file.exists())
            if rank() == 0 and done > told:
                self.progress(done, len(items), unit)
            told = done
            return done == len(items)

        for start in share(list(files)):
            if not files[start].exists():
                write_text(files[start], json.dumps(list(work(start, items[start : start + size]))) + "\n")
            whole()
        while not whole():
            time.sleep(POLL)
        return [row for start, file in files.items() for row in _read(file, min(size, len(items) - start))]

    def drop(self) -> None:
        """Remove what is on disk, after `all_have_read`."""
        shutil.rmtree(self.folder, ignore_errors=True)


def all_have_read() -> None:
    """Wait until every rank is here."""
    if world_size() == 1:
        return
    import torch.distributed as dist

    with during("waiting until all ranks have read what was drawn"):
        dist.init_process_group("gloo", timeout=collective_time_out())
        dist.barrier()
        dist.destroy_process_group()


def _read(file: Path, count: int) -> list[Any]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}: what an earlier run drew cannot be read ({error}); remove the file, or start with --force"
        ) from error
    if not isinstance(rows, list) or len(rows) != count:
        raise DataError(f"{file}: expected a list of {count} rows; remove the file, or start with --force")
    return rows
