"""The thread beside a stage that carries its metrics from the local spool to MLflow. What MLflow does not take is kept for
`k15 replay`."""

import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from flows import checkpoints, graph, replay, sources
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
        self._ended = threading.Event()
        self._code = 0
        self._failure = ""
        self._record = replay.Record(stage, pipeline_id(), since, {}, None)
        self._facts: graph.Facts | None = None

    def run(self) -> None:
        try:
            self._feed()
        except Exception as error:  # noqa: BLE001 (a tracker of any kind, broken in any way, must not touch the stage)
            self._failure = f"MLflow failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})"

    def finish(self, code: int) -> None:
        """Tell the thread how the stage ended and wait for the last rows; what did not arrive is kept."""
        self._code = code
        self._ended.set()
        self.join(PATIENCE)
        failure = "MLflow does not answer" if self.is_alive() else self._failure
        if failure:
            kept = replay.keep(self._root, self._record, code, self._spool, self._facts)
            print(
                f"tracking: {failure}; kept in {kept} for `k15 replay`, the curves are in {self._spool}",
                file=sys.stderr,
                flush=True,
            )

    def _feed(self) -> None:
        self._record.tags |= provenance(self._root)
        try:
            facts = graph.facts(self._root, [self._stage])[self._stage]
            self._facts = replace(facts, inputs=facts.inputs | sources.digests(self._root, facts.params))
            self._record.tags["stage_key"] = facts.key
        except (ImportError, graph.GraphError):  # no DVC here, or a stage run by hand under a name of its own
            self._facts = None
        connected = Store.connect(self._root, self._record.pipeline)
        run = self._record.run = connected.child(self._stage, self._record.tags)
        models = self._opened(connected, run)
        tail, fed = Tail(self._spool, self._since), list[dict[str, Any]]()
        monitor = connected.monitor(run)
        try:
            while not self._ended.wait(EVERY):
                fed += self._pass(connected, run, tail)
        finally:
            monitor.finish()
        fed += self._pass(connected, run, tail)
        connected.metrics(run, self._missed(fed))
        if self._code == 0 and self._facts:
            connected.files(run, self._facts.results)
            checkpoints.log_written(connected, self._root, self._stage, run, self._facts)
            checkpoints.log_evaluated(connected, run, models, self._facts.results)
        connected.end(run, replay.status(self._code))

    def _opened(self, connected: Store, run: str) -> dict[str, str]:
        """What the run reads: parameters, data sets, checkpoints; the ids of these by name."""
        if self._facts is None:
            return {}
        connected.params(run, self._facts.params)
        connected.inputs(run, self._facts.sets, self._stage)
        return checkpoints.log_read(connected, run, self._facts)

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
