"""The only door to MLflow. flows/feeder.py feeds it from a stage's spool: tracking neither slows nor kills a stage.

It lies in flows/ and not in stages/run/, because only launchers use it: so nothing at all in stages imports MLflow.
One experiment; a parent run for each run of the pipeline; under it a child for each executed stage."""

import contextlib
import importlib.util
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

import psutil

from flows import graph

EXPERIMENT = "k15"
BATCH = 1000
"""MLflow's limit of metrics in one call."""


def store(root: Path) -> str:
    """MLFLOW_TRACKING_URI, else the project's own sqlite file, absolute, so that no ./mlruns can take its place."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.resolve()}/artifacts/mlflow/mlflow.db"


def available() -> bool:
    """False when MLflow is not installed or K15_TRACKING=off."""
    return os.environ.get("K15_TRACKING") != "off" and importlib.util.find_spec("mlflow") is not None


def pipeline_id() -> str:
    """What groups stages under one parent: the flow run's id, else the `dvc` process above us, else this process."""
    if given := os.environ.get("K15_PIPELINE_ID"):
        return given
    me = psutil.Process()
    for process in me.parents():
        try:
            if any(Path(word).name == "dvc" for word in process.cmdline()[:3]):
                return f"dvc-{process.pid}-{process.create_time():.0f}"
        except psutil.Error:
            break
    return f"stage-{me.pid}-{me.create_time():.0f}"


@dataclass(frozen=True)
class Store:
    """A connected MLflow client with the ids it writes to."""

    client: Any
    experiment: str
    parent: str

    @classmethod
    def connect(cls, root: Path, pipeline: str) -> "Store":
        """Open the store and find, or make, the parent run of `pipeline`. Raises whatever MLflow raises."""
        import mlflow

        uri = store(root)
        if uri.startswith("sqlite:///"):
            _found(Path(uri.removeprefix("sqlite:///")))
        client = mlflow.MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        files = (root / "artifacts/mlflow/files").resolve().as_uri() if uri.startswith("sqlite:///") else None
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifact_location=files)
        runs = client.search_runs([experiment], f"tags.pipeline_id = '{pipeline}' and tags.kind = 'pipeline'", max_results=1)
        if runs:
            return cls(client, experiment, runs[0].info.run_id)
        tags = {"kind": "pipeline", "pipeline_id": pipeline, **provenance(root)}
        parent = client.create_run(experiment, tags=tags, run_name=f"pipeline {time.strftime('%m-%d %H:%M:%S')}")
        return cls(client, experiment, parent.info.run_id)

    def child(self, stage: str, tags: Mapping[str, str]) -> str:
        """A new run under the parent."""
        tags = {"kind": "stage", "stage": stage, "mlflow.parentRunId": self.parent, **tags}
        return str(self.client.create_run(self.experiment, tags=tags, run_name=stage).info.run_id)

    def metrics(self, run: str, rows: list[dict[str, Any]]) -> None:
        """Rows of a spool as curves; {"speed": {"tokens": 9}} becomes `speed/tokens`."""
        from mlflow.entities import Metric

        made = [
            Metric(_metric_name(name), float(value), int(row["time"] * 1000), int(row["step"]))
            for row in rows
            if "step" in row
            for name, value in graph.flat(row).items()
            if name not in ("step", "time") and isinstance(value, int | float) and not isinstance(value, bool)
        ]
        for start in range(0, len(made), BATCH):
            self.client.log_batch(run, metrics=made[start : start + BATCH])

    def params(self, run: str, values: Mapping[str, Any]) -> None:
        """Flattened parameters; what is already there stays."""
        from mlflow.entities import Param

        known = self.client.get_run(run).data.params
        made = [Param(name, str(value)[:6000]) for name, value in values.items() if name not in known]
        for start in range(0, len(made), 100):
            self.client.log_batch(run, params=made[start : start + 100])

    def files(self, run: str, paths: tuple[Path, ...]) -> None:
        """Result files and folders as artifacts, the numbers of JSON files as metrics too."""
        for path in paths:
            if path.is_dir():
                self.client.log_artifacts(run, str(path), path.name)
            elif path.is_file():
                self.client.log_artifact(run, str(path))
                if path.suffix == ".json":
                    self.numbers(run, path)

    def numbers(self, run: str, path: Path) -> None:
        """The numeric leaves of a JSON file as final metrics `<file>/<section>/<name>`."""
        tree = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(tree, dict):
            self.metrics(run, [{"step": 0, "time": time.time(), path.stem.replace(".", "-"): tree}])

    def monitor(self, run: str) -> Any:
        """MLflow's own sampling of this machine's CPU, memory and GPU every ten seconds; ended by its `finish`."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(run, tracking_uri=self.client.tracking_uri)
        monitor.start()
        return monitor

    def end(self, run: str, status: str) -> None:
        """Close a child, and the parent with it: the next stage of the same pipeline opens no new one."""
        self.client.set_terminated(run, status)
        self.client.set_terminated(self.parent, status)


def _found(path: Path) -> None:
    """Make a new sqlite store beside `path` and put it there whole: one whose making was killed could never be opened again."""
    import mlflow

    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        mlflow.MlflowClient(tracking_uri=f"sqlite:///{beside}").search_experiments()
        with contextlib.suppress(FileExistsError):  # another launcher was faster: its store is as good
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _metric_name(dotted: str) -> str:
    """`sft@long.loss` -> `sft_long/loss`: MLflow groups charts by what is before the slash, and takes few signs. The point of a
    number (`sampled/pass_rate_0.0_0.2`) stays."""
    return re.sub(r"[^\w/. -]", "_", re.sub(r"(?<!\d)\.|\.(?!\d)", "/", dotted))


def provenance(root: Path) -> dict[str, str]:
    """Tags that say what exactly ran: commit, dirty or not, md5 of dvc.lock, the Prefect run."""
    head, dirty = graph.commit(root)
    lock = root / "dvc.lock"
    tags = {
        "git.commit": head,
        "git.dirty": str(dirty).lower(),
        "dvc.lock.md5": md5(lock.read_bytes()).hexdigest() if lock.exists() else "",
        "prefect.task_run_id": os.environ.get("K15_TASK_RUN_ID", ""),
    }
    return {name: value for name, value in tags.items() if value}


def finish_pipeline(root: Path, pipeline: str, status: str, params: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    """The parent run becomes the line to compare: all parameters, final numbers, report, figures, its stages' keys."""
    connected = Store.connect(root, pipeline)
    connected.params(connected.parent, params)
    for path in sorted((root / "results").glob("**/*.json")):
        connected.numbers(connected.parent, path)
    report = root / "results/report"
    if report.is_dir():
        connected.client.log_artifacts(connected.parent, str(report), "report")
    for stage, key in keys.items():
        connected.client.set_tag(connected.parent, f"stage_key.{stage.replace('@', '_')}", key)
    connected.client.set_terminated(connected.parent, status)
