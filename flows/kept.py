"""What MLflow did not take: a folder for each run, with all that `k15 replay` needs to store it later."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows import graph, parent_run
from stages.data.files import put_in_place, write_json

KEPT = Path("artifacts/replay")
"""A folder here is one run that MLflow did not take: about.json, spool.jsonl, files/."""
PARENT = "pipeline"
"""The stage of a record that is a pipeline's own; so begins the name of its folder."""
PLACE = "K15_REPLAY"
"""Set by the flow, whose worktree may be gone when MLflow is back: where runs are kept instead."""


@dataclass
class Record:
    """A run as far as MLflow must know of it."""

    stage: str
    """A stage of dvc.yaml, or "pipeline" for the parent run's final numbers."""
    pipeline: str
    since: float
    tags: dict[str, str]
    run: str | None
    """MLflow's id, when it was made before MLflow failed."""
    code: int = 0
    params: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    """DVC's hash of each checkpoint that the stage wrote, by name; empty where it could not be had."""
    numbers: dict[str, Any] = field(default_factory=dict)
    """Of a pipeline: as in the report's metrics.json, of this run only."""
    said: str = ""
    """The description of a pipeline's run, without its numbers."""


CODES = {"FINISHED": 0, "FAILED": 1, "KILLED": 130}
"""An exit code for each of MLflow's words."""


def status(code: int) -> str:
    """MLflow's word for how a stage ended."""
    return "FINISHED" if code == 0 else "KILLED" if code > 128 else "FAILED"


def name(record: Record) -> str:
    """What a launch of a stage is called: the tag of its run in MLflow, the folder in which it is kept."""
    return f"{record.stage}-{record.since:.3f}"


def place(root: Path) -> Path:
    """The folder of what is kept for a replay."""
    return Path(os.environ.get(PLACE) or root / KEPT)


def keep(root: Path, record: Record, code: int, spool: Path, facts: graph.Facts | None = None, files: Sequence[Path] = ()) -> Path:
    """Copy all that a replay needs, whole or not at all; returns the folder. `files` are results beside those of `facts`."""
    folder, beside = place(root) / name(record), place(root) / f".{name(record)}.{os.getpid()}"
    (beside / "files").mkdir(parents=True)
    record.code = code
    if facts is not None:
        record.params, record.inputs = facts.params, facts.inputs
    if facts is not None and code == 0:
        files = [*facts.results, *files]
        record.digests = graph.digests(root, record.stage) if facts.models else {}
    for path in files:
        _copy(path, beside / "files" / path.name)
    if spool.is_file():
        shutil.copy(spool, beside / "spool.jsonl")
    write_json(beside / "about.json", asdict(record))
    shutil.rmtree(folder, ignore_errors=True)
    put_in_place(beside, folder)
    return folder


def keep_pipeline(root: Path, pipeline: str, ending: parent_run.Ending) -> Path:
    """The same for the parent run: all parameters, the numbers and the report of this run."""
    record = Record(PARENT, pipeline, ending.time, {}, None, params=dict(ending.params), keys=dict(ending.keys))
    record.numbers, record.said = dict(ending.numbers), ending.said
    found = (ending.report,) if ending.report else ()
    return keep(root, record, CODES[ending.status], Path(os.devnull), files=found)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)  # with its times, which are those of the numbers in MLflow
    elif source.is_file():
        shutil.copy2(source, target)
