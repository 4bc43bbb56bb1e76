"""`k15 replay`: what MLflow did not take while it was dead or slow was kept, and is stored now, nothing twice."""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows import checkpoints, environment, graph, parent_run, tracking
from flows.progress import Tail
from stages.data.files import DataError, write_json

KEPT = Path("artifacts/replay")
"""A folder here is one run that MLflow did not take: about.json, spool.jsonl, files/."""
PLACE = "K15_REPLAY"
"""Set by the flow, whose worktree may be gone when MLflow is back: where runs are kept instead."""
DESCRIPTION = f"""\
Store in MLflow what it did not take when a stage ran: curves, parameters, result files, checkpoints and scores, and the last
numbers of a pipeline. A run that got half of its rows gets the others. What is stored is removed from {KEPT};
a replay that is interrupted goes on by the same command.
"""


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


def status(code: int) -> str:
    """MLflow's word for how a stage ended."""
    return "FINISHED" if code == 0 else "KILLED" if code > 128 else "FAILED"


def keep(root: Path, record: Record, code: int, spool: Path, facts: graph.Facts | None) -> Path:
    """Copy all that a replay needs, whole or not at all; returns the folder."""
    name = f"{record.stage}-{record.since:.3f}"
    place = Path(os.environ.get(PLACE) or root / KEPT)
    folder, beside = place / name, place / f".{name}.{os.getpid()}"
    (beside / "files").mkdir(parents=True)
    record.code = code
    if facts is not None:
        record.params, record.inputs = facts.params, facts.inputs
        for path in facts.results if code == 0 else ():
            _copy(path, beside / "files" / path.name)
        if code == 0:
            record.digests = graph.digests(root, record.stage) if facts.models else {}
    if spool.is_file():
        shutil.copy(spool, beside / "spool.jsonl")
    write_json(beside / "about.json", asdict(record))
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    return folder


def keep_pipeline(root: Path, pipeline: str, code: int, params: Mapping[str, Any], keys: Mapping[str, str]) -> Path:
    """The same for the parent run: all parameters, the final numbers, the report."""
    record = Record("pipeline", pipeline, time.time(), {}, None, params=dict(params), keys=dict(keys))
    found = sorted(path for path in (root / "results").glob("*") if path.name in ("report", "evaluations", "curation", "warm_up"))
    return keep(root, record, code, Path("none"), graph.Facts(record.params, tuple(found), "", {}, ()))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)  # with its times, which are those of the numbers in MLflow
    elif source.is_file():
        shutil.copy2(source, target)


def add_command(commands: Any) -> None:
    """Add the command to the subparsers of `k15`."""
    parser = commands.add_parser(
        "replay",
        help="store in MLflow what it did not take while it was dead",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    """Store every kept run; 1 when MLflow did not take one, which stays."""
    root = Path.cwd()
    environment.prepare(root)
    kept = sorted(path for path in (root / KEPT).glob("*") if path.is_dir() and not path.name.startswith("."))
    if kept and not tracking.available():
        raise DataError("MLflow is not installed or K15_TRACKING=off; nothing is stored")
    failed = 0
    for folder in sorted(kept, key=lambda path: (path.name.startswith("pipeline-"), path.name)):  # parents last: they end the run
        try:
            rows = replay(root, folder)
        except Exception as error:  # noqa: BLE001 (a tracker of any kind, broken in any way: the run stays, the next one is tried)
            failed += 1
            print(f"{folder.name}: not stored ({type(error).__name__}: {' '.join(str(error).split())[:200]})", file=sys.stderr)
            continue
        shutil.rmtree(folder)
        print(f"{folder.name}: stored, {rows} rows")
    print(
        f"{len(kept) - failed} of {len(kept)} kept runs are now in {tracking.store(root)}" if kept else f"nothing is kept in {KEPT}"
    )
    return int(bool(failed))


def replay(root: Path, folder: Path) -> int:
    """Store one kept run; the number of rows that MLflow did not have. Raises whatever MLflow raises."""
    about = Record(**json.loads((folder / "about.json").read_text(encoding="utf-8")))
    files = tuple(sorted((folder / "files").glob("*")))
    if about.stage == "pipeline":
        parent_run.finish_pipeline(root, about.pipeline, status(about.code), about.params, about.keys, folder / "files")
        return 0
    store = tracking.Store.connect(root, about.pipeline)
    made = about.run or store.replayed(folder.name)
    made = made or store.child(about.stage, {**about.tags, tracking.REPLAYED: folder.name})
    store.params(made, about.params)
    facts = graph.Facts(about.params, (), about.tags.get("stage_key", ""), about.inputs, ())
    store.inputs(made, facts.sets, about.stage)
    models = checkpoints.log_read(store, made, facts)
    spool = folder / "spool.jsonl"
    rows = [row for row in Tail(spool, since=0.0).rows() if "step" in row]
    missing = store.absent(made, rows)
    store.metrics(made, missing)
    store.files(made, files)
    for name, digest in about.digests.items():
        store.writes(made, checkpoints.ensure(store, name, digest, made, about.params, facts.key))
    checkpoints.log_evaluated(store, made, models, files)
    store.end(made, status(about.code))
    return len(missing)
