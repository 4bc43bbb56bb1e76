"""A wall clock that counts only the time in which its owner was awake, and what it watches could have run.

A process that was stopped (SIGSTOP, a frozen container) sees one long gap between two looks at the clock. Of such a gap two
ticks count: what is watched may have been stopped just as long, and was not looked at. Time that the watched processes spent in
line for a CPU does not count either, so that a busy machine changes no verdict; a program that sleeps stands in no line."""

import time
from collections.abc import Callable

PATIENCE = 5
"""Wall-clock seconds that a program may take for each second of its CPU time."""
TICK = 0.25
"""Seconds between two looks, at most."""
MOST = 8
"""Times its seconds after which a clock is over, however busy the machine was."""

Strain = Callable[[], tuple[float, float]]
"""Seconds in line for a CPU so far, and of CPU time, of what is watched (usage.strain)."""


class Clock:
    """Time that is left, in seconds."""

    def __init__(self, seconds: float, strain: Strain | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """Without `strain` all time counts in which the owner was awake."""
        self.left, self._seconds, self._most = seconds, seconds, MOST * seconds
        self._strain, self._now, self._seen = strain, now, now()
        self._waited, self._begun = strain() if strain else (0.0, 0.0)

    def over(self) -> bool:
        """Look at the clock: whether no time is left. Call it at least once a tick, between two waits."""
        now = self._now()
        gap = now - self._seen
        if self._strain and gap < TICK / 2 and gap < self.left:
            return False
        self._seen, gap = now, min(gap, 2 * TICK)
        self._most -= gap
        self.left -= gap - min(gap, self._in_line())
        return self.left <= 0 or self._most <= 0

    def wait(self, most: float = TICK) -> float:
        """Seconds to wait for an event before the next look, `most` at most."""
        return max(0.0, min(self.left, most, TICK))

    def _in_line(self) -> float:
        """Seconds in line for a CPU since the last look; 0 for programs that have had as much CPU time as there is of the clock:
        many processes in line for few CPUs."""
        if self._strain is None:
            return 0.0
        before = self._waited
        self._waited, used = self._strain()
        return max(0.0, self._waited - before) if used - self._begun < self._seconds else 0.0
