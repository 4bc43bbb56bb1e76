"""MLflow, with a real store: what arrives there, and that a dead one touches nothing."""

import time
from typing import Any

import pytest
from toy_repository import Toy, build

from flows import tracking
from flows.launch import free_port


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A repository whose two stages ran under one bare `dvc repro` with MLflow on."""
    toy = build(tmp_path_factory.mktemp("tracked"))
    done = toy.call("-m", "dvc", "repro", "--quiet", K15_TRACKING="on")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tracking:" not in done.stderr
    return toy


def runs(toy: Toy) -> dict[str, Any]:
    """The runs of the store by name, parents as "pipeline"."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=tracking.store(toy.root))
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    found = client.search_runs([experiment.experiment_id])
    names = [run.info.run_name.split()[0] for run in found]
    assert len(set(names)) == len(names), f"a run was made twice: {names}"
    return {"client": client, **dict(zip(names, found, strict=True))}


def test_children_lie_under_one_finished_parent(tracked: Toy) -> None:
    found = runs(tracked)
    parent = found["pipeline"].info.run_id
    for name in ("make", "use"):
        assert found[name].data.tags["mlflow.parentRunId"] == parent
        assert found[name].info.status == "FINISHED"
    assert found["pipeline"].info.status == "FINISHED"


def test_the_child_has_its_curve_its_params_and_its_tags(tracked: Toy) -> None:
    found = runs(tracked)
    history = found["client"].get_metric_history(found["make"].info.run_id, "loss")
    assert [(point.step, point.value) for point in sorted(history, key=lambda point: point.step)] == [
        (0, 1.0),
        (1, 1 / 2),
        (2, 1 / 3),
        (3, 1 / 4),
        (4, 1 / 5),
    ]
    assert found["make"].data.params == {"seed": "0"}
    tags = found["make"].data.tags
    assert (len(tags["git.commit"]), tags["git.dirty"], len(tags["stage_key"])) == (40, "false", 64)
    assert "dvc.lock.md5" in found["use"].data.tags


def test_result_files_are_artifacts_and_their_numbers_metrics(tracked: Toy) -> None:
    found = runs(tracked)
    listed = found["client"].list_artifacts(found["use"].info.run_id)
    assert [item.path for item in listed] == ["used.json"]
    assert found["use"].data.metrics["used/value"] == 0.5
    assert (tracked.root / "artifacts/mlflow/files").is_dir()


def test_a_resumed_run_shows_the_whole_curve_and_speed_rows(tracked: Toy) -> None:
    """Steps 0 and 1 are from before the kill; a stale step 2 of a run that was cut must not come back."""
    spool = tracked.root / "artifacts/spool/resumed.jsonl"
    old = [f'{{"step": {step}, "time": {step + 1.0}, "loss": {step}}}\n' for step in range(3)]
    spool.write_text("".join(old))
    program = "from stages.run.spool import stage_spool as s; w = s('x');w.log(2, {'loss': 9.0}); w.log_speed(2, {'tokens': 5.0})"
    (tracked.root / "resumed.py").write_text(program)
    done = tracked.call("-m", "flows.stage", "resumed", "--", "resumed", K15_TRACKING="on")
    assert done.returncode == 0, done.stderr
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=tracking.store(tracked.root))
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    (run,) = client.search_runs([experiment.experiment_id], "tags.stage = 'resumed'")
    client.delete_run(run.data.tags["mlflow.parentRunId"])
    client.delete_run(run.info.run_id)
    points = sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss"))
    assert points == [(0, 0.0), (1, 1.0), (2, 9.0)]
    assert run.data.metrics["speed/tokens"] == 5.0


def test_a_dead_mlflow_neither_blocks_nor_fails_a_stage(toy: Toy) -> None:
    begun = time.monotonic()
    address = f"http://127.0.0.1:{free_port()}"
    done = toy.call("-m", "flows.stage", "make", "--", "toys.make", K15_TRACKING="on", MLFLOW_TRACKING_URI=address)
    assert done.returncode == 0
    assert time.monotonic() - begun < 90
    assert "tracking: MLflow" in done.stderr
    assert "artifacts/spool/make.jsonl" in done.stderr
    assert (toy.root / "artifacts/made.txt").exists()


def test_a_store_whose_making_was_killed_is_made_anew(toy: Toy) -> None:
    """Half of MLflow's tables, once in place, would refuse every later run ("table ... already exists")."""
    folder = toy.root / "artifacts/mlflow"
    with toy.start("-m", "flows.stage", "family", "--", "toys.family", K15_TRACKING="on") as killed:
        until = time.monotonic() + 240
        while not list(folder.glob(".mlflow.db.*")) and time.monotonic() < until:
            time.sleep(0.01)
        killed.kill()
    assert list(folder.glob(".mlflow.db.*")), "it was killed too late or too early to show anything"
    assert not (folder / "mlflow.db").exists()
    done = toy.call("-m", "flows.stage", "make", "--", "toys.make", K15_TRACKING="on")
    assert done.returncode == 0
    assert done.stderr == ""
    assert (folder / "mlflow.db").exists()


def test_a_broken_store_is_one_line(toy: Toy) -> None:
    (toy.root / "broken.db").write_text("this is no database")
    uri = f"sqlite:///{toy.root}/broken.db"
    done = toy.call("-m", "flows.stage", "make", "--", "toys.make", K15_TRACKING="on", MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "tracking: MLflow" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "dotted, shown",
    [
        ("loss", "loss"),
        ("speed.tokens", "speed/tokens"),
        ("sft@long.p(95)", "sft_long/p_95_"),
        ("sampled/pass_rate_0.0_0.2", "sampled/pass_rate_0.0_0.2"),
        ("staleness/3+", "staleness/3_"),
        ("suites.math500.accuracy", "suites/math500/accuracy"),
    ],
)
def test_metric_names(dotted: str, shown: str) -> None:
    assert tracking._metric_name(dotted) == shown
