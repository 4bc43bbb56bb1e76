"""Ends a process group. As a program (`python reaper.py PGID`) it outlives whoever started it: when its standard input
closes without a word, the starter died, and the group is ended. Standard library only: it starts in milliseconds."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


def members(group: int) -> list[int]:
    """Process ids of the living members of the process group; zombies, which nobody may ever collect, do not count."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state, _, pgid = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
            if int(pgid) == group and state not in "ZX":
                found.append(int(entry.name))
    return found


def end(group: int, grace: float = GRACE) -> None:
    """SIGTERM to the group, SIGKILL to what is left after `grace` seconds; returns when nothing is left or helps."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 2.0)):
        if not members(group):
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
        until = time.monotonic() + patience
        while members(group) and time.monotonic() < until:
            time.sleep(0.05)


if __name__ == "__main__":
    if not sys.stdin.buffer.read(1):
        end(int(sys.argv[1]))
