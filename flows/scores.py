"""The numbers of one run: what its own evaluations measured, and nothing that lay in results/ before.

A terminal, MLflow and Prefect's page all show what `of_run` returns, so that none can show another run's scores."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows import graph
from stages.data.files import DataError
from stages.reporting import summary
from stages.reporting.evaluations import read_evaluation

EVALUATION = "evaluate"
REPORT = "report"


@dataclass(frozen=True)
class Scores:
    """What a run measured, or found valid."""

    checkpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of each evaluated checkpoint its scores by suite, as in the report's summary.json; in the order of dvc.yaml."""
    numbers: dict[str, Any] = field(default_factory=dict)
    """The few numbers that runs are compared by, as in the report's metrics.json."""
    missing: tuple[str, ...] = ()
    """Evaluations of dvc.yaml that have no numbers in this run."""
    report: bool = False
    """Whether results/report is this run's."""

    def said(self) -> str:
        """One sentence on what this run has no numbers of; empty where it has all, or the graph evaluates nothing."""
        if not self.missing:
            return ""
        if not self.checkpoints:
            return "no evaluation belongs to this run, so it has no scores"
        return f"not evaluated in this run: {', '.join(self.missing)}"


def of_run(root: Path, ended: Collection[str]) -> Scores:
    """The scores of a run whose stages `ended` were executed, restored or found unchanged by DVC; those of no other stage count.

    The report counts where it ended and all evaluations that it reads did. Raises GraphError for a graph that cannot be read."""
    written, read = _written(root)
    evaluations = {name: paths for name, paths in written.items() if name.split("@")[0] == EVALUATION}
    checkpoints, missing = dict[str, dict[str, Any]](), list[str]()
    for name, paths in evaluations.items():
        found = _scored(paths) if name in ended else {}
        checkpoints |= found
        if not found:
            missing.append(name.partition("@")[2] or name)
    needed = {name for name, paths in evaluations.items() if any(read & {path, *path.parents} for path in paths)}
    report = REPORT in ended and REPORT in written and needed <= {*ended}
    whole, few = _reported(root) if report else ({}, {})
    numbers = few | {name: summary.line(scores) for name, scores in checkpoints.items()}
    return Scores(checkpoints | {name: scores for name, scores in whole.items() if name not in checkpoints}, numbers,
                  tuple(missing), report)  # fmt: skip


def unchanged(root: Path, names: Collection[str]) -> list[str]:
    """The stages among `names` in which nothing has changed, nor in any that they need: what lies there is of these values."""
    changed, valid = {*graph.changes(root, [*names])}, list[str]()
    for node in graph.nodes(root):
        if node.name in names and node.name not in changed and {*node.upstream} & {*names} <= {*valid}:
            valid.append(node.name)
    return valid


def _written(root: Path) -> tuple[dict[str, list[Path]], set[Path]]:
    """The files that each stage leaves in git, in the order of dvc.yaml, and what the report reads."""
    with graph.opened(root) as repo:
        stages = {stage.name: stage for stage in graph.stages_of(repo)}
        written = {
            name: [Path(out.fs_path) for out in stage.outs if not out.use_cache] for name, stage in stages.items()
        }  # fmt: skip
        read = {Path(dep.fs_path) for dep in stages[REPORT].deps} if REPORT in stages else set[Path]()
    return written, read


def _scored(paths: Collection[Path]) -> Mapping[str, dict[str, Any]]:
    """Scores by checkpoint in the files of one evaluation; none where they cannot be read as one."""
    found = {}
    for path in paths:
        if path.suffix == ".json":
            try:
                found[path.stem] = summary.scores(read_evaluation(path, path.stem))
            except DataError:  # of another version: its numbers are not comparable, and it is told as missing
                continue
    return found


def _reported(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores by checkpoint and the few numbers, out of the report's two files."""
    files = (root / "results" / REPORT / name for name in ("summary.json", "metrics.json"))
    whole, few = (json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {} for path in files)
    return whole.get("checkpoints", {}), few
