"""`k15 replay`: what MLflow did not take while it was dead or slow, or of runs that were killed, was kept, and is stored now,
nothing twice."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows import checkpoints, environment, graph, kept, parent_run, tracking, unfinished
from flows.progress import Tail
from stages.data.files import DataError
from stages.run.secrets import hidden

DESCRIPTION = f"""\
Store in MLflow what it did not take when a stage ran: curves, parameters, result files, checkpoints and scores, and the last
numbers of a pipeline. A run that got half of its rows gets the others, one that was killed its end. What is stored is removed from
{kept.KEPT}; a replay that is interrupted goes on by the same command.
"""


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
    unfinished.collect(root)
    folders = sorted(path for path in (root / kept.KEPT).glob("*") if path.is_dir() and not path.name.startswith("."))
    if folders and not tracking.available():
        raise DataError("MLflow is not installed or K15_TRACKING=off; nothing is stored")
    failed = 0
    for folder in sorted(
        folders, key=lambda path: (path.name.startswith(kept.PARENT), path.name)
    ):  # parents last: they end the run
        try:
            rows = replay(root, folder)
        except Exception as error:  # noqa: BLE001 (a tracker of any kind, broken in any way: the run stays, the next one is tried)
            failed += 1
            print(f"{folder.name}: not stored ({tracking.reason(error)})", file=sys.stderr)
            continue
        shutil.rmtree(folder)
        print(f"{folder.name}: stored, {rows} rows")
    where = hidden(tracking.store(root))
    print(
        f"{len(folders) - failed} of {len(folders)} kept runs are now in {where}" if folders else f"nothing is kept in {kept.KEPT}"
    )
    return int(bool(failed))


def _parents_last(folders: Sequence[Path]) -> list[Path]:
    """Parents end their run, so their stages come first."""
    return sorted(folders, key=lambda path: (path.name.startswith(kept.PARENT), path.name))


def replay(root: Path, folder: Path) -> int:
    """Store one kept run; the number of rows that MLflow did not have. Raises whatever MLflow raises."""
    about = kept.Record(**json.loads((folder / "about.json").read_text(encoding="utf-8")))
    files = tuple(sorted((folder / "files").glob("*")))
    if about.stage == kept.PARENT:
        ended = (kept.status(about.code), about.said, about.since)
        ending = parent_run.Ending(*ended, about.params, about.numbers, about.keys, folder / "files/report")
        parent_run.finish_pipeline(root, about.pipeline, ending)
        return 0
    store = tracking.Store.connect(root, about.pipeline)
    made = about.run or store.launched(folder.name)
    made = made or store.child(about.stage, {**about.tags, tracking.LAUNCH: folder.name})
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
    if store.running(made):
        store.end(made, kept.status(about.code))
    return len(missing)


def store_killed(root: Path, folders: Sequence[Path] | None = None) -> None:
    """Store killed runs in MLflow, those that are found now by default, parents last; what it does not take stays kept."""
    found = unfinished.collect(root) if folders is None else folders
    for folder in _parents_last(found):
        try:
            replay(root, folder)
        except Exception as error:  # noqa: BLE001 (a tracker of any kind, broken in any way, must not touch the run that begins)
            print(
                f"tracking: MLflow did not take the killed run {folder.name} ({tracking.reason(error)}); `k15 replay` stores it",
                file=sys.stderr,
            )
        else:
            shutil.rmtree(folder)
