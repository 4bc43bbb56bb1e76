"""MLflow's run of a whole pipeline holds few numbers, those of its own report, so that two runs compare at a glance."""

import json
from pathlib import Path

import mlflow
import pytest

from flows import parent_run, tracking

NUMBERS = {"long_rl": {"accuracy": 81.1, "tokens": 76.9, "math500": 3.0}, "merged": {}, "checks_held": 6}


def test_the_parent_has_the_reports_numbers_and_no_other_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """results/ holds committed runs of other machines and seeds, too: none of their numbers is this run's."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for path, content in {
        "results/report/metrics.json": NUMBERS,
        "results/report/summary.json": {"seconds": {"base": 9.0}},
        "results/evaluations/long_rl.json": {"suites": {"overall": {"accuracy": 0.811}}},
        "results/real-data/report/metrics.json": {"long_rl": {"accuracy": 0.5}},
        "results/benchmarks.json": {"generation": {"seconds": 9.0}},
        "results/seeds/1.json": {"seconds": {"base": 9.0}},
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))
    parent_run.finish_pipeline(tmp_path, "one", "FINISHED", {"seed": 0}, {})
    client = mlflow.MlflowClient(tracking_uri=tracking.store(tmp_path))
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == {"accuracy/long_rl": 81.1, "tokens/long_rl": 76.9, "math500/long_rl": 3.0, "checks_held": 6.0}
    assert "| long_rl | 81.1 | 76.9 |" in run.data.tags["mlflow.note.content"]
    assert "merged" not in run.data.tags["mlflow.note.content"]
    assert "hold: 6" in run.data.tags["mlflow.note.content"]
