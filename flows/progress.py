"""The live view: how far a stage is and how long it will take, read from its spool. On a terminal one line that is
redrawn, elsewhere a plain line every ten seconds, in CI nothing."""

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.run.secrets import hidden
from stages.run.spool import PROGRESS

EVERY = 10.0
"""Seconds between two lines where no terminal redraws them."""
SHOWN: Mapping[str, str] = {"reward": "reward {:.3f}", "mean_tokens": "tokens {:,.0f}", "loss": "loss {:.3g}"}
"""Metrics whose last values stand in the progress line, in order, and how."""


class Tail:
    """The rows that a spool gained since the last look. One that shrank (a resumed stage cuts its own) is read anew."""

    def __init__(self, path: Path, since: float) -> None:
        self._path, self._since, self._offset = path, since, 0

    def rows(self) -> list[dict[str, Any]]:
        """Complete rows written after `since` (unix seconds) and not returned before, metrics and progress alike."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._offset:
                    self._offset = 0
                file.seek(self._offset)
                block = file.read()
        except FileNotFoundError:
            return []
        whole = block[: block.rfind(b"\n") + 1]
        self._offset += len(whole)
        rows = [row for line in whole.splitlines() if (row := _row(line)) and row["time"] > self._since]
        if rows:
            self._since = rows[-1]["time"]
        return rows


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("time"), float | int) else None


@dataclass
class Progress:
    """Where a stage stands; `update` takes rows, `line` gives the text."""

    stage: str
    unit: str = ""
    done: int = 0
    total: int = 0
    first_done: int = 0
    first_time: float = 0.0
    time: float = 0.0
    last: dict[str, float] = field(default_factory=dict)
    """The last value of each metric of SHOWN."""

    def update(self, rows: list[dict[str, Any]]) -> None:
        """Take in new rows; another unit or total of progress is another piece of work with its own clock."""
        for row in rows:
            self.last |= {name: row[name] for name in SHOWN if isinstance(row.get(name), float | int)}
            if not isinstance(state := row.get(PROGRESS), dict):
                continue
            if (state["unit"], state["total"]) != (self.unit, self.total) or state["done"] < self.done:
                self.unit, self.total = state["unit"], state["total"]
                self.first_done, self.first_time = state["done"], row["time"]
            self.done, self.time = state["done"], row["time"]

    def seconds_left(self) -> float | None:
        """By the mean speed since the first row of this piece of work; None before there is one."""
        if self.done <= self.first_done or self.time <= self.first_time:
            return None
        return (self.total - self.done) * (self.time - self.first_time) / (self.done - self.first_done)

    def line(self) -> str | None:
        """For example `sft@long  step 120/375  32%  loss 0.41  1:20 left`."""
        if not self.total:
            return None
        parts = [self.stage, f"{self.unit} {self.done}/{self.total}", f"{100 * self.done // self.total}%"]
        parts += [text.format(self.last[name]) for name, text in SHOWN.items() if name in self.last]
        if (left := self.seconds_left()) is not None:
            parts.append(f"{clock(left)} left")
        return "  ".join(parts)


def clock(seconds: float) -> str:
    """75 -> 1:15, 3700 -> 1:01:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Screen:
    """Whole lines of a program and one line of progress share a terminal. Thread-safe."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._quiet = bool(os.environ.get("CI")) or os.environ.get("K15_PROGRESS") == "off"
        self._lock = threading.Lock()
        self._shown = ""
        self._last = time.monotonic()

    def line(self, text: str, stream: str = "stdout") -> None:
        """Print a whole line above the progress line, without passwords."""
        with self._lock:
            self._clear()
            print(hidden(text), file=sys.stderr if stream == "stderr" else sys.stdout, flush=True)
            self._draw()

    def progress(self, text: str | None) -> None:
        """Show `text` as the progress line: redrawn on a terminal, else printed at most every ten seconds."""
        if text is None or self._quiet or text == self._shown:
            return
        with self._lock:
            if self._live:
                self._clear()
                self._shown = text
                self._draw()
            elif time.monotonic() - self._last >= EVERY:
                self._last, self._shown = time.monotonic(), text
                print(text, flush=True)

    def close(self) -> None:
        """Take the progress line away."""
        with self._lock:
            self._clear()
            self._shown = ""

    def _clear(self) -> None:
        if self._live and self._shown:
            print("\r\x1b[K", end="", flush=True)

    def _draw(self) -> None:
        if self._live and self._shown:
            print(self._shown, end="", flush=True)
