"""How a run of the pipeline ends in MLflow: with its own numbers, and never as RUNNING, whatever stopped it."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flows import graph, kept, parent_run, replay, tracking, unfinished
from flows.scores import Scores, of_run
from stages.run.params import load
from stages.run.secrets import hidden


def finish(root: Path, run: str, status: str, made: Scores, ended: Sequence[str], said: str) -> str:
    """The parent run gets final numbers, parameters, figures and its end. What MLflow refused, and where it is kept; empty when it
    took all."""
    keys = {name: facts.key for name, facts in graph.facts(root, ended).items()}
    report = root / "results/report" if made.report else None
    text = hidden(" ".join(f"{sentence}." for sentence in (said, made.said()) if sentence))
    ending = parent_run.Ending(status, text, time.time(), _params(root), made.numbers, keys, report)
    try:
        parent_run.finish_pipeline(root, run, ending)
    except Exception as error:  # noqa: BLE001 (a tracker of any kind, broken in any way, must not fail the pipeline)
        place = kept.keep_pipeline(root, run, ending)
        return f"MLflow did not take the results ({tracking.reason(error)}); kept in {place} for k15 replay"
    return ""


def cancelled(root: Path, run: str, ended: Sequence[str], at: Sequence[str]) -> None:
    """A run that is being stopped gets its end, and first that of the stage `at` which it was."""
    replay.store_killed(root)
    finish(root, run, "KILLED", of_run(root, ended), ended, " ".join(["cancelled", *(f"at {stage}" for stage in at)]))


@contextlib.contextmanager
def noted(root: Path, run: str, stores: Mapping[str, str]) -> Iterator[None]:
    """Around a run of the pipeline: runs that were killed before get their end, and so will this one should it be killed. `stores`
    goes into the environment: where MLflow is, and where runs are kept."""
    os.environ.update(stores)
    note = None
    if tracking.available():
        replay.store_killed(root)
        record = kept.Record(kept.PARENT, run, time.time(), {}, None, params=_params(root), said="killed.")
        note = unfinished.opened(root, record, None)
    try:
        yield
    finally:
        unfinished.close(note)


def _params(root: Path) -> dict[str, Any]:
    return graph.flat(load(root / "params.yaml").model_dump())
