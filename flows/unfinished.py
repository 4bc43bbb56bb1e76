"""No run stays RUNNING in MLflow for ever: whoever opens one leaves a note first, and takes it away when the run has its end.

A note whose launcher is dead is of a run that was killed: it is kept like one that MLflow did not take (flows/replay.py), with the
rows of its spool, and stored as KILLED by the next start of a stage or a pipeline, or by `k15 replay`."""

import fcntl
import json
import os
import socket
from dataclasses import asdict
from pathlib import Path

import psutil

from flows import kept
from stages.data.files import write_json

NOTES = "open_runs"
"""Folder of the notes, beside that of kept runs."""
KILLED = 137
"""The exit code of a launcher that SIGKILL ended."""


def opened(root: Path, record: kept.Record, spool: Path | None) -> Path:
    """Write, or write again, the note of a run that this process has open; returns its path."""
    me = psutil.Process()
    path = kept.place(root).with_name(NOTES) / f"{kept.name(record)}.json"
    launcher = {"host": socket.gethostname(), "pid": me.pid, "created": me.create_time()}
    content = {"launcher": launcher, "spool": str(spool) if spool else None, "record": asdict(record)}
    write_json(path, content)
    return path


def close(path: Path | None) -> None:
    """Take a note away: its run has its end, or is kept for a replay."""
    if path is not None:
        path.unlink(missing_ok=True)


def collect(root: Path) -> list[Path]:
    """Keep every run whose launcher died without a word, before its spool is written to again; the folders that hold them."""
    folder = kept.place(root).with_name(NOTES)
    if not folder.is_dir():
        return []
    found = list[Path]()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in sorted(folder.glob("*.json")):
            note = json.loads(path.read_text(encoding="utf-8"))
            if _dead(note["launcher"]):
                record = kept.Record(**note["record"])
                found.append(kept.keep(root, record, KILLED, Path(note["spool"] or os.devnull)))
                path.unlink()
    return found


def _dead(launcher: dict[str, str | float]) -> bool:
    """Whether a launcher of this machine runs no more; of another machine nobody here knows."""
    if launcher["host"] != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(launcher["pid"]))
        return abs(process.create_time() - float(launcher["created"])) > 0.01 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
