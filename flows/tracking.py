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
from flows.relocated import relocate
from stages.models.origin import label_of
from stages.run.secrets import hidden

EXPERIMENT = "k15"
PLACE = Path("artifacts/mlflow/mlflow.db")
"""The project's own store; the files of its runs lie beside it."""
LAUNCH = "launch"
"""Tag of a stage's run: the name of that launch, under which it is found again when it is stored later."""
FLOW_RUN = "K15_FLOW_RUN_ID"
"""Set by the flow: Prefect's run that a stage belongs to."""
BATCH = 1000
"""MLflow's limit of metrics in one call."""
DIGEST = 36
"""MLflow's limit of a data set's digest, which is the length of DVC's hash of a folder."""


def store(root: Path) -> str:
    """MLFLOW_TRACKING_URI, else the project's own sqlite file, absolute, so that no ./mlruns can take its place."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.resolve() / PLACE}"


def available() -> bool:
    """False when MLflow is not installed or K15_TRACKING=off."""
    return os.environ.get("K15_TRACKING") != "off" and importlib.util.find_spec("mlflow") is not None


def reason(error: Exception) -> str:
    """Why MLflow did not take something, on one short line without passwords."""
    return f"{type(error).__name__}: {hidden(' '.join(str(error).split()))[:200]}"


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
        files = None
        if uri.startswith("sqlite:///"):
            if "?" in uri:  # MLflow would take the rest for options, and write somewhere else
                raise ValueError("a path with '?' cannot hold MLflow's store; rename the folder, or set MLFLOW_TRACKING_URI")
            database = Path(uri.removeprefix("sqlite:///"))
            _found(database)
            own = database.parts[-len(PLACE.parts) :] == PLACE.parts  # of this checkout, or of that whose worktree this is
            files = ((database if own else root / PLACE).parent / "files").resolve().as_uri()
            if own:
                relocate(database, EXPERIMENT, files)
        client = mlflow.MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifact_location=files)
        runs = client.search_runs([experiment], f"tags.pipeline_id = '{pipeline}' and tags.kind = 'pipeline'", max_results=1)
        if runs:
            return cls(client, experiment, runs[0].info.run_id)
        tags = {"kind": "pipeline", "pipeline_id": pipeline, **provenance(root)}
        parent = client.create_run(experiment, tags=tags, run_name=f"pipeline {time.strftime('%m-%d %H:%M:%S')}")
        return cls(client, experiment, parent.info.run_id)

    def child(self, stage: str, tags: Mapping[str, str]) -> str:
        """A new run under the parent, which is running with it."""
        if not self.running(self.parent):
            self.client.update_run(self.parent, status="RUNNING")
        tags = {"kind": "stage", "stage": stage, "mlflow.parentRunId": self.parent, "mlflow.source.name": f"k15 {stage}", **tags}
        return str(self.client.create_run(self.experiment, tags=tags, run_name=stage).info.run_id)

    def launched(self, name: str) -> str | None:
        """The run of the launch `name`, where one was made."""
        found = self.client.search_runs([self.experiment], f"tags.{LAUNCH} = '{name}'", max_results=1)
        return str(found[0].info.run_id) if found else None

    def running(self, run: str) -> bool:
        """Whether the run has no end yet."""
        return bool(self.client.get_run(run).info.status == "RUNNING")

    def metrics(self, run: str, rows: list[dict[str, Any]], model: str | None = None) -> None:
        """Rows of a spool as curves; {"speed": {"tokens": 9}} becomes `speed/tokens`. With `model` they belong to it, too."""
        made = _points(rows, model)
        for start in range(0, len(made), BATCH):
            self.client.log_batch(run, metrics=made[start : start + BATCH])

    def absent(self, run: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those of `rows` of which the run has not every value yet."""
        names = {point.key for point in _points(rows)}
        there = {(name, one.step, one.timestamp) for name in names for one in self.client.get_metric_history(run, name)}
        return [row for row in rows if any((one.key, one.step, one.timestamp) not in there for one in _points([row]))]

    def inputs(self, run: str, digests: Mapping[str, str], context: str) -> None:
        """Files and folders as the run's data sets: name, DVC's hash, and what read them."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if not digests:
            return
        source = [json.dumps({"uri": path}) for path in digests]
        sets = [Dataset(path, value[:DIGEST], "local", uri) for (path, value), uri in zip(digests.items(), source, strict=True)]
        self.client.log_inputs(run, [DatasetInput(one, [InputTag("mlflow.data.context", context)]) for one in sets])

    def reads(self, run: str, model: str) -> None:
        """The run takes the logged model `model` as input."""
        from mlflow.entities import LoggedModelInput

        self.client.log_inputs(run, models=[LoggedModelInput(model)])

    def writes(self, run: str, model: str) -> None:
        """The run made the logged model `model`."""
        from mlflow.entities import LoggedModelOutput

        outputs = self.client.get_run(run).outputs
        if model not in [one.model_id for one in (outputs.model_outputs if outputs else [])]:
            self.client.log_outputs(run, [LoggedModelOutput(model, 0)])

    def params(self, run: str, values: Mapping[str, Any]) -> None:
        """Flattened parameters; what is already there stays."""
        from mlflow.entities import Param

        known = self.client.get_run(run).data.params
        made = [Param(name, hidden(str(value))[:6000]) for name, value in values.items() if name not in known]
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
            self.metrics(run, [{"step": 0, "time": path.stat().st_mtime, path.stem.replace(".", "-"): tree}])

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


def _points(rows: list[dict[str, Any]], model: str | None = None) -> list[Any]:
    """Every number of every row as MLflow's metric."""
    from mlflow.entities import Metric

    return [
        Metric(_metric_name(name), float(value), int(row["time"] * 1000), int(row["step"]), model_id=model)
        for row in rows
        if "step" in row
        for name, value in graph.flat(row).items()
        if name not in ("step", "time") and isinstance(value, int | float) and not isinstance(value, bool)
    ]


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


def started_from(root: Path) -> str:
    """What the run's checkpoints are made of, by the config of the first; "" before there is one."""
    path = root / graph.MODELS / "base/config.json"
    return label_of(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else ""


def provenance(root: Path) -> dict[str, str]:
    """Tags that say what exactly ran: commit, dirty or not, md5 of dvc.lock, the Prefect run."""
    head, dirty = graph.commit(root)
    lock = root / "dvc.lock"
    tags = {
        "git.commit": head,
        "mlflow.source.git.commit": head,  # the column "Version" of MLflow's page
        "git.dirty": str(dirty).lower(),
        "model": started_from(root),
        "dvc.lock.md5": md5(lock.read_bytes()).hexdigest() if lock.exists() else "",
        "prefect.task_run_id": os.environ.get("K15_TASK_RUN_ID", ""),
        "prefect.flow_run_id": os.environ.get(FLOW_RUN, ""),
    }
    return {name: hidden(value) for name, value in tags.items() if value}
