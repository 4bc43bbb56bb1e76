"""A checkout that was copied or moved writes MLflow's files to its own place, and shows those of its old runs."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow
import pytest

from flows import parent_run, tracking


def finish(root: Path, pipeline: str) -> None:
    report = root / "report"
    report.mkdir(exist_ok=True)
    (report / "index.html").write_text(pipeline)
    parent_run.finish_pipeline(root, pipeline, parent_run.Ending("FINISHED", "", 1.0, {}, report=report))


def files(root: Path) -> dict[str, str]:
    """The report of each pipeline, as MLflow's client of that checkout gives it."""
    client = mlflow.MlflowClient(tracking_uri=tracking.store(root))
    found = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert found
    runs = client.search_runs([found.experiment_id])
    texts = {}
    for run in runs:
        assert run.info.artifact_uri.startswith(f"{root.as_uri()}/artifacts/mlflow/files/")
        path = Path(url2pathname(urlsplit(run.info.artifact_uri).path), "report/index.html")
        texts[run.data.tags["pipeline_id"]] = path.read_text()
    return texts


@pytest.mark.parametrize("name", ["fir#st copy", "first%41", "a&b=c;d", "ünï 数"])
def test_a_copied_checkout_has_its_own_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    first, copy = tmp_path / "first", tmp_path / name
    first.mkdir()
    finish(first, "one")
    shutil.copytree(first, copy)
    before = {path: path.read_bytes() for path in (first / "artifacts/mlflow/files").rglob("*") if path.is_file()}
    finish(copy, "two")
    assert files(copy) == {"one": "one", "two": "two"}
    assert files(first) == {"one": "one"}
    assert {path: path.read_bytes() for path in (first / "artifacts/mlflow/files").rglob("*") if path.is_file()} == before


def test_a_moved_checkout_keeps_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "old").mkdir()
    finish(tmp_path / "old", "one")
    (tmp_path / "old").rename(tmp_path / "new")
    finish(tmp_path / "new", "two")
    assert files(tmp_path / "new") == {"one": "one", "two": "two"}
    assert not (tmp_path / "old").exists()


def test_a_store_of_the_users_own_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/own.db")
    finish(root, "one")
    (tmp_path / "other").mkdir()
    finish(tmp_path / "other", "two")
    client = mlflow.MlflowClient(tracking_uri=tracking.store(root))
    found = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert found
    assert found.artifact_location == f"{root.as_uri()}/artifacts/mlflow/files", "where it was made"


def test_a_path_that_mlflow_would_cut_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = tmp_path / "what?"
    root.mkdir()
    with pytest.raises(ValueError, match="a path with '\\?' cannot hold MLflow's store"):
        tracking.Store.connect(root, "one")
    assert [path.name for path in tmp_path.iterdir()] == ["what?"]
