"""The thread beside a stage that carries its metrics from the local spool to MLflow."""

import sys
import threading
from pathlib import Path
from typing import Any

from flows import graph
from flows.progress import Tail
from flows.tracking import Store, pipeline_id, provenance
from stages.run.spool import Spool

EVERY = 2.0
"""Seconds between two looks at the spool."""
PATIENCE = 60.0
"""Seconds that a finished stage waits for its last rows to be stored."""


class Feeder(threading.Thread):
    """Feeds one stage's spool to MLflow. `finish` returns after at most PATIENCE seconds, whatever MLflow does."""

    def __init__(self, root: Path, stage: str, spool: Path, since: float) -> None:
        super().__init__(name="mlflow", daemon=True)
        self._root, self._stage, self._spool, self._since = root, stage, spool, since
        self._pipeline = pipeline_id()
        self._ended = threading.Event()
        self._code = 0

    def run(self) -> None:
        try:
            self._feed()
        except Exception as error:  # noqa: BLE001 (a tracker of any kind, broken in any way, must not touch the stage)
            reason = " ".join(str(error).split())[:200]
            text = f"tracking: MLflow failed ({type(error).__name__}: {reason}); the curves are in {self._spool}"
            print(text, file=sys.stderr, flush=True)

    def finish(self, code: int) -> None:
        """Tell the thread how the stage ended and wait for the last rows."""
        self._code = code
        self._ended.set()
        self.join(PATIENCE)
        if self.is_alive():
            print(f"tracking: MLflow does not answer; the curves are in {self._spool}", file=sys.stderr, flush=True)

    def _feed(self) -> None:
        connected = Store.connect(self._root, self._pipeline)
        results, run = self._open(connected)
        tail, fed = Tail(self._spool, self._since), list[dict[str, Any]]()
        monitor = connected.monitor(run)
        try:
            while not self._ended.wait(EVERY):
                fed += self._pass(connected, run, tail)
        finally:
            monitor.finish()
        fed += self._pass(connected, run, tail)
        connected.metrics(run, self._missed(fed))
        if self._code == 0:
            connected.files(run, results)
        connected.end(run, "FINISHED" if self._code == 0 else "KILLED" if self._code > 128 else "FAILED")

    def _open(self, connected: Store) -> tuple[tuple[Path, ...], str]:
        tags = provenance(self._root)
        try:
            known = graph.facts(self._root, [self._stage])[self._stage]
        except (ImportError, graph.GraphError):  # no DVC here, or a stage run by hand under a name of its own
            return (), connected.child(self._stage, tags)
        run = connected.child(self._stage, {**tags, "stage_key": known.key})
        connected.params(run, known.params)
        return known.results, run

    def _pass(self, connected: Store, run: str, tail: Tail) -> list[dict[str, Any]]:
        rows = [row for row in tail.rows() if "step" in row]
        connected.metrics(run, rows)
        return rows

    def _missed(self, fed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows that the tail did not see: the part before a resumed run's first step, or lines lost to a cut."""
        seen = {row["time"] for row in fed}
        first = min((row["step"] for row in fed), default=0)
        rows = [row for row in Spool(self._spool).rows() if row["time"] not in seen]
        return [row for row in rows if row["time"] > self._since or row["step"] < first]
