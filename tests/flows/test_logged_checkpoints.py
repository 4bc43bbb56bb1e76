"""Checkpoints, data sets and the registry, in a real MLflow store that a real `dvc repro` fed."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from toy_repository import TOYS, Toy, build

from flows import checkpoints, tracking
from flows.launch import free_port


def model_repository(root: Path) -> Toy:
    toy = build(root)
    shutil.copy(TOYS / "model_graph.yaml", toy.root / "dvc.yaml")
    (toy.root / "data").mkdir()
    (toy.root / "data/problems.jsonl").write_text('{"question": "1 + 1"}\n')
    return toy


def repro(toy: Toy, *words: str, **extra: str) -> str:
    done = toy.call("-m", "dvc", "repro", "--quiet", *words, K15_TRACKING="on", **extra)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def client(toy: Toy) -> Any:
    import mlflow

    return mlflow.MlflowClient(tracking_uri=tracking.store(toy.root))


def runs(toy: Toy, stage: str) -> list[Any]:
    """The runs of a stage, oldest first."""
    store = client(toy)
    experiment = store.get_experiment_by_name(tracking.EXPERIMENT).experiment_id
    return list(store.search_runs([experiment], f"tags.stage = '{stage}'", order_by=["attributes.start_time ASC"]))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    toy = model_repository(tmp_path_factory.mktemp("models"))
    assert repro(toy) == ""
    return toy


def test_inputs_are_data_sets_with_dvcs_hash(house: Toy) -> None:
    (run,) = runs(house, "train")
    (given,) = run.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == (
        "data/problems.jsonl",
        hashlib.md5(b'{"question": "1 + 1"}\n').hexdigest(),
    )
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "train"}


def test_a_checkpoint_is_a_logged_model_of_the_run_that_made_it(house: Toy) -> None:
    (made,), (scored,) = runs(house, "train"), runs(house, "evaluate@long_rl")
    made, scored = (client(house).get_run(run.info.run_id) for run in (made, scored))  # a search leaves out what they made
    (output,), (given,) = made.outputs.model_outputs, scored.inputs.model_inputs
    assert output.model_id == given.model_id
    model = client(house).get_logged_model(output.model_id)
    assert (model.name, model.source_run_id, str(model.status.value)) == ("long_rl", made.info.run_id, "READY")
    assert model.params == {"seed": "0"}
    assert len(model.tags["digest"]) == 36
    assert model.tags["stage_key"] == made.data.tags["stage_key"]
    scores = {metric.key: metric.value for metric in model.metrics}
    assert scores["suites/overall/accuracy"] == 0.5
    assert scores["suites/overall/mean_tokens"] == 12.5


def test_it_is_a_version_with_the_alias_long_cot(house: Toy) -> None:
    version = client(house).get_model_version_by_alias(checkpoints.REGISTERED, "long-cot")
    assert (str(version.version), version.tags["checkpoint"]) == ("1", "long_rl")
    assert version.run_id == runs(house, "evaluate@long_rl")[0].info.run_id


def test_another_evaluation_of_the_same_weights_is_the_same_version(house: Toy) -> None:
    params = house.root / "params.yaml"
    params.write_text(params.read_text().replace("weight: 0.5", "weight: 0.75"))
    repro(house)
    assert len(runs(house, "evaluate@long_rl")) == 2
    assert [version.version for version in client(house).search_model_versions("name = 'k15'")] in ([1], ["1"])
    params.write_text(params.read_text().replace("seed: 0 ", "seed: 4 "))
    repro(house)
    assert str(client(house).get_model_version_by_alias("k15", "long-cot").version) == "2"
    assert client(house).get_model_version("k15", "1").tags["checkpoint"] == "long_rl"


def test_a_dead_server_is_replayed_later_and_nothing_twice(tmp_path: Path) -> None:
    """Two replays, the second of a copy of the first's input, as if that had been interrupted before it removed what it stored."""
    toy = model_repository(tmp_path)
    said = repro(toy, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}")
    assert said.count("kept in") == 2
    kept = toy.root / "artifacts/replay"
    assert len(list(kept.iterdir())) == 2
    shutil.copytree(kept, tmp_path / "again")

    first = toy.call("-m", "flows.k15", "replay", K15_TRACKING="on")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "2 of 2 kept runs are now in sqlite:///" in first.stdout
    assert list(kept.iterdir()) == []
    before = _content(toy)
    assert before["train"]["loss"] == [(0, 1.0), (1, 1 / 2), (2, 1 / 3)]
    assert before["evaluate@long_rl"]["long_rl/suites/overall/accuracy"] == [(0, 0.5)]
    assert str(client(toy).get_model_version_by_alias("k15", "long-cot").version) == "1"
    parents = {run.data.tags["mlflow.parentRunId"] for stage in ("train", "evaluate@long_rl") for run in runs(toy, stage)}
    assert len(parents) == 1, "the stages of one dvc repro are not under one parent"

    kept.rmdir()
    shutil.copytree(tmp_path / "again", kept)
    second = toy.call("-m", "flows.k15", "replay", K15_TRACKING="on")
    assert second.returncode == 0, second.stderr
    assert ": stored, 0 rows" in second.stdout
    assert _content(toy) == before
    assert toy.call("-m", "flows.k15", "replay", K15_TRACKING="on").stdout == "nothing is kept in artifacts/replay\n"


def _content(toy: Toy) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Every point of every curve of the one run of each stage."""
    store, found = client(toy), {}
    for stage in ("train", "evaluate@long_rl"):
        (run,) = runs(toy, stage)
        assert run.info.status == "FINISHED"
        names = [name for name in run.data.metrics if not name.startswith("system/")]
        found[stage] = {
            name: sorted((one.step, one.value) for one in store.get_metric_history(run.info.run_id, name)) for name in names
        }
    return found


def test_a_store_that_is_still_dead_keeps_what_is_kept(tmp_path: Path) -> None:
    toy = build(tmp_path)
    folder = toy.root / "artifacts/replay/make-1.000"
    folder.mkdir(parents=True)
    (folder / "about.json").write_text('{"stage": "make", "pipeline": "p", "since": 1.0, "tags": {}, "run": null}')
    address = f"http://127.0.0.1:{free_port()}"
    done = toy.call("-m", "flows.k15", "replay", K15_TRACKING="on", MLFLOW_TRACKING_URI=address)
    assert done.returncode == 1
    assert "make-1.000: not stored" in done.stderr
    assert folder.is_dir()
