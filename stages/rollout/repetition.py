"""Repeat detection (§2.6): does a response end in copies of one sequence? As a pure function of a token sequence, and for all rows
of a running batch at once while it generates."""

from collections.abc import Sequence

import numpy as np

from stages.rollout.engine import Repetition

HISTORY = 1024
NOTHING = -1


def repeated_tail(token_ids: Sequence[int], repetition: Repetition) -> tuple[int, int] | None:
    """(period, length) of the tail of `token_ids` that counts as repetition, by the smallest such period; None where none does.

    A tail has the period p when each of its tokens equals the one p places before; its last copy may be begun only. Of a
    sequence with
    few different tokens more is needed (Repetition). In linear time: place p of the Z function of the reversed sequence says
    how long the sequence without its last p tokens ends as it does itself
    (Gusfield, Algorithms on Strings, Trees and Sequences, 1.4)."""
    longest = matches(token_ids[::-1], repetition.max_period + 1)
    for period in range(1, len(longest)):
        length = period + longest[period]
        if length >= repetition.needed(period, plain=False):
            plain = len(set(token_ids[-period:])) < repetition.distinct
            return (period, length) if not plain or length >= repetition.needed(period, plain=True) else None
    return None


def matches(sequence: Sequence[int], places: int) -> list[int]:
    """The Z function at the first `places` places: how many tokens from each on equal those at the beginning."""
    found = [0] * min(places, len(sequence))
    left = right = 0
    for place in range(1, len(found)):
        same = min(right - place, found[place - left]) if place < right else 0
        while place + same < len(sequence) and sequence[same] == sequence[place + same]:
            same += 1
        found[place] = same
        if place + same > right:
            left, right = place, place + same
    return found


class TailWatch:
    """The same for rows that grow together, one token each at a time, in O(max_period) a token.

    For every period it counts the tokens at the end of a row that equal the one a period before. Rows share the column that is
    written next; a column's place in the buffer is moved to the front when the buffer is full."""

    def __init__(self, rows: int, repetition: Repetition) -> None:
        self.repetition = repetition
        self.periods = np.arange(1, repetition.max_period + 1)
        self.needed, self.needed_plain = (
            np.array([repetition.needed(period, plain) for period in self.periods.tolist()]) - self.periods
            for plain in (False, True)
        )
        self.runs = np.zeros((rows, repetition.max_period), dtype=np.int64)
        self.history = np.full((rows, repetition.max_period + HISTORY), NOTHING, dtype=np.int64)
        self.column = repetition.max_period

    def begin(self, row: int, token_ids: Sequence[int]) -> bool:
        """Put a response of these tokens into `row`: whether it ends in a repetition."""
        span = self.repetition.max_period
        sequence = np.asarray(token_ids, dtype=np.int64)
        self.history[row, : self.column] = NOTHING
        kept = sequence[-span:]
        self.history[row, self.column - len(kept) : self.column] = kept
        self.runs[row] = 0
        for period in range(1, min(span, len(sequence) - 1) + 1):
            most = max(self.needed[period - 1], self.needed_plain[period - 1])
            tail = sequence[-int(most) - period :]
            differs = np.flatnonzero(tail[:-period] != tail[period:])
            same = len(tail) - period
            self.runs[row, period - 1] = same - 1 - differs[-1] if len(differs) else same
        return self._repeats(row)

    def advance(self, tokens: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Append a token (B,) to each of the first B rows: which of them end in a repetition now (B,)."""
        span, rows = self.repetition.max_period, len(tokens)
        if self.column == self.history.shape[1]:
            self.history[:, :span] = self.history[:, -span:]
            self.column = span
        before = self.history[:rows, self.column - span : self.column][:, ::-1]
        runs = self.runs[:rows]
        runs += 1
        runs *= before == tokens[:, None]
        self.history[:rows, self.column] = tokens
        self.column += 1
        found = np.asarray((runs >= self.needed).any(axis=1))
        for row in np.flatnonzero(found):
            found[row] = self._repeats(int(row))
        return found

    def _repeats(self, row: int) -> bool:
        """Whether a row ends in a repetition now, by the smallest period whose run is long enough."""
        enough = np.flatnonzero(self.runs[row] >= self.needed)
        if not len(enough):
            return False
        place = int(enough[0])
        unit = self.history[row, self.column - place - 1 : self.column]
        return len(set(unit.tolist())) >= self.repetition.distinct or bool(self.runs[row, place] >= self.needed_plain[place])

    def move(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Rows `sources` take the places `targets`."""
        self.runs[list(targets)] = self.runs[list(sources)]
        self.history[list(targets)] = self.history[list(sources)]
