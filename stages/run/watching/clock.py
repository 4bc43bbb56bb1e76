"""A wall clock that counts only the time in which its owner was awake.

A process that was stopped (SIGSTOP, a frozen container, a machine without a free core) sees one long gap between two looks at
the clock. Of such a gap one tick counts: what is watched may have been stopped just as long, and was not looked at."""

import time
from collections.abc import Callable

PATIENCE = 5
"""Wall-clock seconds that a program may take for each second of its CPU time: a busy machine must not change a verdict."""
TICK = 0.25
"""Seconds between two looks, at most."""


class Clock:
    """Time that is left, in seconds."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.left = seconds
        self._now, self._seen = now, now()

    def over(self) -> bool:
        """Look at the clock: whether no time is left. Call it at least once a tick, between two waits."""
        now = self._now()
        self.left -= min(now - self._seen, 2 * TICK)
        self._seen = now
        return self.left <= 0

    def wait(self, most: float = TICK) -> float:
        """Seconds to wait for an event before the next look, `most` at most."""
        return max(0.0, min(self.left, most, TICK))
