"""The thread beside a stage that carries its metrics from the local spool to MLflow. What MLflow does not take is kept for
`k15 replay`; however the stage ends, its run gets its end."""

import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from flows import checkpoints, graph, kept, replay, sources, tracking, unfinished
from flows.progress import Tail
from flows.tracking import Store, pipeline_id, provenance
from stages.run.spool import Spool

EVERY = 2.0
"""Seconds between two looks at the spool."""
PATIENCE = 60.0
"""Seconds that a finished stage waits for its last rows to be stored."""
HASTE = 10.0
"""The same where the stage was interrupted; whoever asked for that waits."""
INTERRUPTED = 130


class Feeder(threading.Thread):
    """Feeds one stage's spool to MLflow. `finish` returns after at most PATIENCE seconds, whatever MLflow does. Leaving the `with`
    block by an exception (Ctrl-C, SIGTERM) finishes it, too."""

    def __init__(self, root: Path, stage: str, spool: Path, since: float) -> None:
        super().__init__(name="mlflow", daemon=True)
        self._root, self._stage, self._spool, self._since = root, stage, spool, since
        self._ended = threading.Event()
        self._code = 0
        self._failure = ""
        self._record = kept.Record(stage, pipeline_id(), since, {}, None)
        self._facts: graph.Facts | None = None
        self._note: Path | None = None
        self._killed = unfinished.collect(root) if tracking.available() else []  # before the stage writes to its spool again

    def __enter__(self) -> "Feeder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None and self.ident is not None:
            code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else INTERRUPTED
            self.finish(code, HASTE)

    def run(self) -> None:
        try:
            self._feed()
        except Exception as error:  # noqa: BLE001 (a tracker of any kind, broken in any way, must not touch the stage)
            self._failure = f"MLflow failed ({tracking.reason(error)})"

    def finish(self, code: int, patience: float = PATIENCE) -> None:
        """Tell the thread how the stage ended and wait for the last rows; what did not arrive is kept."""
        self._code = code
        self._ended.set()
        self.join(patience)
        failure = "MLflow does not answer" if self.is_alive() else self._failure
        if failure:
            place = kept.keep(self._root, self._record, code, self._spool, self._facts)
            print(
                f"tracking: {failure}; kept in {place} for `k15 replay`, the curves are in {self._spool}",
                file=sys.stderr,
                flush=True,
            )
        unfinished.close(self._note)

    def _feed(self) -> None:
        self._record.tags |= {tracking.LAUNCH: kept.name(self._record)}
        self._note = unfinished.opened(self._root, self._record, self._spool)
        self._record.tags |= provenance(self._root)
        try:
            facts = graph.facts(self._root, [self._stage])[self._stage]
            self._facts = replace(facts, inputs=facts.inputs | sources.digests(self._root, facts.params))
            self._record.tags["stage_key"] = facts.key
        except (ImportError, graph.GraphError):  # no DVC here, or a stage run by hand under a name of its own
            self._facts = None
        if self._facts:
            self._record.params, self._record.inputs = self._facts.params, self._facts.inputs
        if not self._ended.is_set():
            unfinished.opened(self._root, self._record, self._spool)
        connected = Store.connect(self._root, self._record.pipeline)
        run = self._record.run = connected.child(self._stage, self._record.tags)
        replay.store_killed(self._root, self._killed)
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
        connected.end(run, kept.status(self._code))

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
