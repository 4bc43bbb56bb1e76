"""Verdicts while generation goes on: responses are handed over as they end, and their verdicts are ready when the last one does.

The report's reward services work beside the rollout workers (§2.6); here threads do, one for each kind of judging, so that a slow
judge does not keep the algebra waiting. The work itself is in other processes: the pool of worker processes, the sandbox, the
judging model."""

import queue
import threading
from collections.abc import Callable, Hashable, Sequence
from types import TracebackType
from typing import Generic, TypeVar

from stages.verifiers.claims import Claim, Verdict
from stages.verifiers.verdict import Answer, Kind, kind_of, verify_all

K = TypeVar("K", bound=Hashable)
Verify = Callable[[Sequence[Claim], int, float, Answer | None], Sequence[Verdict]]
JUDGED_TOGETHER = 16
"""Claims that the judging model gets at a time. Fixed groups in the order of submission, whatever the timing, because what a model
answers may depend on its batch; other verdicts do not depend on their company."""


class Verification(Generic[K]):
    """`submit` as responses end, then `results`; again and again. Use it as a context manager: it ends its threads.

    An exception in a thread (not a verdict of "error": a broken pool, an endpoint that refuses every request) is raised by
    `results`, now and at each later call."""

    def __init__(self, workers: int, seconds: float = 10.0, judge: Answer | None = None, verify: Verify = verify_all) -> None:
        """As for `verify_all`, which `verify` is unless a test says otherwise."""
        self._verify, self._settings = verify, (workers, seconds, judge)
        self._most = 4 * max(1, workers)
        self._verdicts: dict[K, Verdict | None] = {}
        self._gathered: list[tuple[K, Claim]] = []
        self._lanes: dict[Kind, queue.SimpleQueue[list[tuple[K, Claim]] | None]] = {}
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        self._closed = False

    def submit(self, key: K, claim: Claim) -> None:
        """Have `claim` judged; returns at once. ValueError for an unknown verifier, or a key whose result is not fetched yet."""
        kind = kind_of(claim.verifier)
        if key in self._verdicts:
            raise ValueError(f"{key!r} was submitted before; fetch its result first")
        with self._changed:
            self._verdicts[key] = None
        if kind != "judge":
            self._lane(kind).put([(key, claim)])
            return
        self._gathered.append((key, claim))
        if len(self._gathered) == JUDGED_TOGETHER:
            self._send_gathered()

    def results(self) -> dict[K, Verdict]:
        """Wait for all verdicts; those of everything submitted since the last call, in the order of submission."""
        self._send_gathered()
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or None not in self._verdicts.values())
            if self._failure is not None:
                raise self._failure
            found = {key: verdict for key, verdict in self._verdicts.items() if verdict is not None}
            self._verdicts = {}
        return found

    def close(self) -> None:
        """Drop what has not been begun, and end the threads; one that is judging ends after that."""
        self._closed = True
        for lane in self._lanes.values():
            lane.put(None)

    def __enter__(self) -> "Verification[K]":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
        if kind is None:
            for thread in self._threads:
                thread.join()

    def _send_gathered(self) -> None:
        if self._gathered:
            self._lane("judge").put(self._gathered)
            self._gathered = []

    def _lane(self, kind: Kind) -> "queue.SimpleQueue[list[tuple[K, Claim]] | None]":
        """The queue of a kind; its thread starts with the first claim."""
        kind = "answer" if kind == "instructions" else kind  # both are the pool's work
        if kind not in self._lanes:
            self._lanes[kind] = queue.SimpleQueue()
            thread = threading.Thread(target=self._serve, args=(kind,), name=f"verify-{kind}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return self._lanes[kind]

    def _serve(self, kind: Kind) -> None:
        """A thread's life: judge what waits, a group after the other, until the end or a failure."""
        lane = self._lanes[kind]
        while (group := lane.get()) is not None and not self._closed:
            while kind != "judge" and len(group) < self._most and not lane.empty():
                more = lane.get()
                if more is None:
                    return
                group += more
            try:
                verdicts = self._verify([claim for _, claim in group], *self._settings)
                found = dict(zip([key for key, _ in group], verdicts, strict=True))
            except Exception as error:  # noqa: BLE001 - results() raises it in the thread that can act on it
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._verdicts.update(found)
                self._changed.notify_all()
