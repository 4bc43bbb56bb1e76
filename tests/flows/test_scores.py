"""The numbers of a run are the numbers of that run, on the terminal, in MLflow, on Prefect's page: one story over a real graph with
two evaluations and a report, on a real server and a real store, in which old results lie about in every chapter."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest
from test_pipeline import ask, last_flow
from toy_repository import Toy, build, environ

from flows import scores, tracking

WHOLE = {"accuracy/first": 25.0, "tokens/first": 12.5, "tokens/second": 12.5, "checks_held": 1.0}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, server: str) -> Toy:
    """The repository after a first, whole run, whose results are committed."""
    toy = build(tmp_path_factory.mktemp("scored"), "scored_graph.yaml")
    toy.environ |= {"PREFECT_API_URL": server, "K15_TRACKING": "on"}
    done = toy.call("-m", "flows.pipeline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert table(done.stdout) == {"first": "0.250", "second": "0.500"}
    assert "report    results/report/index.html" in done.stdout
    assert newest(toy) == ("FINISHED", {**WHOLE, "accuracy/second": 50.0}, ["report"])
    assert "| second | 50.0 |" in page(server)
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "results"]):
        subprocess.run(["git", *words], cwd=toy.root, env=toy.environ, check=True)
    return toy


def table(said: str) -> dict[str, str]:
    """Accuracy by checkpoint in what a run says on the terminal."""
    rows = said.partition("checkpoint   accuracy")[2].split("\n\n")[0].splitlines()[1:]
    return {row.split()[0]: row.split()[1] for row in rows}


def newest(toy: Toy) -> tuple[str, dict[str, float], list[str]]:
    """Status, metrics and artifacts of the newest run of the pipeline in MLflow."""
    client = mlflow.MlflowClient(tracking_uri=tracking.store(toy.root))
    found = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert found
    run = client.search_runs([found.experiment_id], "tags.kind = 'pipeline'", max_results=1)[0]
    files = [item.path for item in client.list_artifacts(run.info.run_id)]
    return run.info.status, run.data.metrics, files


def note(toy: Toy) -> str:
    """What MLflow's page of that run says first."""
    client = mlflow.MlflowClient(tracking_uri=tracking.store(toy.root))
    found = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert found
    run = client.search_runs([found.experiment_id], "tags.kind = 'pipeline'", max_results=1)[0]
    return str(run.data.tags.get("mlflow.note.content", ""))


def page(server: str) -> str:
    """The summary on Prefect's page of the newest run."""
    run = last_flow(server, "pipeline")[0]["id"]
    (found,) = ask(server, "artifacts/filter", artifacts={"flow_run_id": {"any_": [run]}, "key": {"any_": ["run-summary"]}})
    return str(found["data"])


def test_targets_without_the_report_show_what_they_made(house: Toy, server: str) -> None:
    """The committed report says 50.0 for the second checkpoint; this run made 75."""
    done = house.call("-m", "flows.pipeline", "-S", "merge.weight=0.75", "evaluate@second")
    assert done.returncode == 0, done.stdout + done.stderr
    assert table(done.stdout) == {"second": "0.750"}
    assert "not evaluated in this run: first" in done.stdout
    assert "report    none of this run" in done.stdout
    assert newest(house) == ("FINISHED", {"accuracy/second": 75.0, "tokens/second": 12.5}, [])
    assert "| second | 75.0 |" in note(house)
    assert "Not evaluated in this run: first." in page(server)
    assert "| first |" not in page(server)
    assert "index.html" not in page(server)


def test_a_run_that_finds_everything_unchanged_has_all_numbers(house: Toy) -> None:
    done = house.call("-m", "flows.pipeline", "-S", "merge.weight=0.5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert table(done.stdout) == {"first": "0.250", "second": "0.500"}
    again = house.call("-m", "flows.pipeline")
    assert table(again.stdout) == {"first": "0.250", "second": "0.500"}


def test_a_failure_after_old_results_has_what_it_made(house: Toy, server: str) -> None:
    done = house.call("-m", "flows.pipeline", "-S", "seed=3", "-S", "merge.weight=1.0")
    assert done.returncode == 1
    assert table(done.stdout) == {"first": "0.250"}, "the first evaluation was made again in this run, the second failed"
    assert newest(house) == ("FAILED", {"accuracy/first": 25.0, "tokens/first": 12.5}, [])
    assert "failed at evaluate@second. not evaluated in this run: second." in note(house)
    assert "| second |" not in page(server)


def test_a_cancelled_run_has_what_it_made(house: Toy) -> None:
    (house.root / "hold").touch()
    with house.start("-m", "flows.pipeline", "-S", "seed=4", "-S", "merge.weight=0.25") as flow:
        waited(house.root / "waiting")
        flow.send_signal(signal.SIGINT)
        said = flow.communicate(timeout=120)[0]
    (house.root / "hold").unlink()
    assert flow.returncode == 130, said
    assert table(said) == {}
    assert newest(house) == ("KILLED", {"accuracy/first": 25.0, "tokens/first": 12.5}, [])
    assert "cancelled at evaluate@second" in note(house)


def test_the_first_run_of_a_fresh_clone_that_fails_has_none(house: Toy, server: str, tmp_path: Path) -> None:
    """Its committed results are another run's."""
    subprocess.run(["git", "clone", "--quiet", str(house.root), str(tmp_path / "clone")], check=True)
    (tmp_path / "clone/made").mkdir()
    clone = Toy(tmp_path / "clone", environ(tmp_path))
    clone.environ |= {"PREFECT_API_URL": server, "K15_TRACKING": "on"}
    graph = clone.root / "dvc.yaml"
    graph.write_text(graph.read_text().replace("-- toys.make", "-- toys.absent"))
    done = clone.call("-m", "flows.pipeline")
    assert done.returncode == 1, done.stdout
    assert table(done.stdout) == {}
    assert "no evaluation belongs to this run" in done.stdout
    assert newest(clone) == ("FAILED", {}, [])
    assert "No evaluation belongs to this run" in page(server)


def test_one_stage_alone_has_its_own_numbers_only(house: Toy) -> None:
    """The report alone reads evaluations that this run did not look at."""
    for name, expected in (("evaluate@second", {"accuracy/second": 50.0, "tokens/second": 12.5}), ("report", {})):
        program = f"from flows.tasks import one_stage; one_stage({name!r}, force=True)"
        done = house.call("-c", f"from flows import environment, overrides; overrides.apply({{'merge.weight': 0.5}}); {program}")
        assert done.returncode == 0, done.stderr
        assert newest(house) == ("FINISHED", expected, [])


def test_what_is_unchanged_is_known_without_a_run(house: Toy) -> None:
    """As after `dvc repro` without Prefect."""
    (house.root / "artifacts/made.txt").unlink()
    names = ["make", "evaluate@first", "evaluate@second", "report"]
    assert scores.unchanged(house.root, names) == []


@pytest.mark.parametrize("text", ["not JSON", '{"checkpoint": "first"}', None])
def test_an_evaluation_that_cannot_be_read_is_missing(tmp_path: Path, text: str | None) -> None:
    toy = build(tmp_path / "toy", "scored_graph.yaml")
    path = toy.root / "results/evaluations/first.json"
    path.parent.mkdir(parents=True)
    if text is not None:
        path.write_text(text)
    found = scores.of_run(toy.root, ["make", "evaluate@first"])
    assert found == scores.Scores(missing=("first", "second"))
    assert found.said() == "no evaluation belongs to this run, so it has no scores"


def waited(path: Path, seconds: float = 240) -> Any:
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"no {path} within {seconds} s"
        time.sleep(0.05)
