"""MLflow's run of a whole pipeline holds few numbers, those that it made, so that two runs compare at a glance."""

import json
from pathlib import Path

import mlflow
import pytest

from flows import parent_run, tracking

NUMBERS = {"long_rl": {"accuracy": 81.1, "tokens": 76.9, "math500": 3.0}, "merged": {}, "checks_held": 6}


def stored(root: Path, ending: parent_run.Ending) -> mlflow.entities.Run:
    parent_run.finish_pipeline(root, "one", ending)
    client = mlflow.MlflowClient(tracking_uri=tracking.store(root))
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def test_the_parent_has_the_numbers_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """results/ holds committed runs of other machines and seeds: none of their numbers is this run's."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for path in ("report/metrics.json", "evaluations/long_rl.json", "real-data/report/metrics.json", "seeds/1.json"):
        (tmp_path / "results" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / path).write_text(json.dumps({"long_rl": {"accuracy": 0.5}, "checks_held": 1}))
    run = stored(tmp_path, parent_run.Ending("FINISHED", "", 1.0, {"seed": 0}, NUMBERS))
    assert run.data.metrics == {"accuracy/long_rl": 81.1, "tokens/long_rl": 76.9, "math500/long_rl": 3.0, "checks_held": 6.0}
    assert "| long_rl | 81.1 | 76.9 |" in run.data.tags["mlflow.note.content"]
    assert "merged" not in run.data.tags["mlflow.note.content"]
    assert "hold: 6" in run.data.tags["mlflow.note.content"]


def test_a_failed_run_without_numbers_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = stored(tmp_path, parent_run.Ending("FAILED", "failed at base.", 1.0, {"seed": 0}))
    assert (run.info.status, run.data.metrics) == ("FAILED", {})
    assert run.data.tags["mlflow.note.content"] == "failed at base."
