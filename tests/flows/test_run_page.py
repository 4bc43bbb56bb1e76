"""The summary on a run's page."""

import json
from pathlib import Path

import pytest

from flows import run_page
from flows.scores import Scores


def test_stages_checkpoints_and_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overall = {"accuracy": 0.5, "ci95": [0.4, 0.6], "mean_tokens": 9.0, "n": 8}
    for path, content in {
        "artifacts/timings/use.json": {"stage": "use", "seconds": 12.4},
        "artifacts/timings/make.json": {"stage": "make", "seconds": 3.0},
        "results/report/summary.json": {"checkpoints": {"old": {"overall": overall}}},
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))
    (tmp_path / "results/report/index.html").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:planted-key@host.invalid/mlflow")
    made = Scores({"base": {"overall": overall}}, report=True)
    text = run_page.summary(tmp_path, {"make": "Cached", "use": "Completed"}, made)
    assert "| make | Cached |  |\n| use | Completed | 12 |" in text
    assert "| base | 50.0 | 40.0 to 60.0 | 9.0 | 8 |" in text
    assert "[https://host.invalid/mlflow](https://host.invalid/mlflow)" in text
    assert "planted-key" not in text
    assert "old" not in text
    assert f"`{tmp_path}/results/report/index.html`" in text


def test_a_run_without_report_and_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    text = run_page.summary(tmp_path, {"make": "Failed"}, Scores(missing=("base",)))
    assert "checkpoint" not in text
    assert "No evaluation belongs to this run" in text
    assert text.endswith("`make ui` on that machine prints the address of MLflow's page.")
