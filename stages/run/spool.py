"""Metrics go to a local file first; the launcher beside the stage feeds MLflow, Prefect and the terminal from it."""

import csv
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.data.files import write_text
from stages.run.ranks import rank

PROGRESS = "progress"
SPEED = "speed"


class Spool:
    """Append-only metrics.jsonl. Rows: {"step": int, "time": unix seconds, NAME: number, ...}.

    A row with the key "progress" is no metric: {"progress": {"done", "total", "unit"}} drives the live view."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row of metrics; a reader sees whole lines only."""
        self._append({"step": step, "time": time.time(), **values})

    def log_speed(self, step: int, values: Mapping[str, float]) -> None:
        """Append measured times and rates: they go to MLflow, but not into the CSV, which must be equal for equal runs."""
        self._append({"step": step, "time": time.time(), SPEED: dict(values)})

    def progress(self, done: int, total: int, unit: str) -> None:
        """Tell the live view how far the stage is."""
        self._append({"time": time.time(), PROGRESS: {"done": done, "total": total, "unit": unit}})

    def rows(self) -> list[dict[str, Any]]:
        """All metric rows so far, in order; the half line that a killed writer left is none."""
        if not self.path.exists():
            return []
        rows = [_row(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if row and PROGRESS not in row and SPEED not in row]

    def restore(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Begin with the metric `rows` that a saved state holds: what an interrupted run wrote after
        it is dropped."""
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))

    def write_csv(self, path: Path, step_name: str = "step") -> None:
        """The curves as a CSV (a DVC plot): one line a step, wall-clock time left out so that equal runs give equal files."""
        rows = self.rows()
        names = sorted({name for row in rows for name in row} - {"step", "time"})
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([step_name, *names])
        writer.writerows([row["step"], *(row.get(name, "") for name in names)] for row in rows)
        write_text(path, text.getvalue())

    def _append(self, row: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def stage_spool(stage: str) -> Spool:
    """The spool of a stage: $K15_SPOOL when a launcher set it, else artifacts/spool/<stage>.jsonl.
    A half line that a killed writer left is ended by rank 0, so that the next row is a line of its own."""
    spool = Spool(Path(os.environ.get("K15_SPOOL") or f"artifacts/spool/{stage}.jsonl"))
    if rank() == 0 and spool.path.is_file() and spool.path.read_bytes()[-1:] not in (b"", b"\n"):
        with spool.path.open("a", encoding="utf-8") as file:
            file.write("\n")
    return spool
