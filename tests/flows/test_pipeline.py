"""The flow over a real graph, on a real Prefect server, with a real MLflow store."""

import json
import shutil
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from toy_repository import KEYS, PROJECT, Nobody, Pids, Toy, build

from flows import keys, tracking


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, server: str) -> Toy:
    """A repository whose runs go to the server of these tests."""
    toy = build(tmp_path_factory.mktemp("house"))
    toy.environ["PREFECT_API_URL"] = server
    return toy


def ask(server: str, path: str, **body: Any) -> Any:
    """An answer of Prefect's interface; 503, its database being busy, is asked again, as Prefect's own client does."""
    head, data = {"Content-Type": "application/json"}, json.dumps(body).encode()
    if login := KEYS.get(server):
        head["Authorization"] = keys.basic(login)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + 60
    while True:
        try:
            with opener.open(urllib.request.Request(f"{server}/{path}", data, head), timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > until:
                raise
            time.sleep(2)


def last_flow(server: str, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The newest run of the flow called `name`, and the state names of its tasks."""
    begun = {"state": {"type": {"not_any_": ["SCHEDULED"]}}}
    which = {"flows": {"name": {"any_": [name]}}, "flow_runs": begun}
    run = ask(server, "flow_runs/filter", sort="EXPECTED_START_TIME_DESC", limit=1, **which)[0]
    tasks = ask(server, "task_runs/filter", task_runs={"flow_run_id": {"any_": [run["id"]]}})
    return run, {task["name"]: task["state_name"] for task in tasks}


def test_first_run_second_run_one_parameter_and_a_failure(house: Toy, server: str) -> None:
    """One story, because each chapter needs the state that the last one left."""
    first = house.call("-m", "flows.pipeline", K15_TRACKING="on")
    assert first.returncode == 0, first.stdout + first.stderr
    assert house.ran() == ["make", "use"]
    run, tasks = last_flow(server, "pipeline")
    assert run["state_name"] == "Completed"
    assert tasks == {"make": "Completed", "use": "Completed", "results": "Completed"}
    assert "[2/2] use  done in" in first.stdout
    assert (house.root / "artifacts/timings/use.json").exists()

    second = house.call("-m", "flows.pipeline")
    assert second.returncode == 0
    assert house.ran() == []
    assert last_flow(server, "pipeline")[1] == {"make": "Cached", "use": "Cached"}

    third = house.call("-m", "flows.pipeline", "-S", "merge.weight=0.75")
    assert "params.yaml: merge.weight: 0.5 -> 0.75" in third.stdout
    assert "git checkout params.yaml" in third.stdout
    assert house.ran() == ["use"]
    assert last_flow(server, "pipeline")[1] == {"make": "Cached", "use": "Completed"}
    assert json.loads((house.root / "results/used.json").read_text()) == {"value": 0.75}

    fourth = house.call("-m", "flows.pipeline", "-S", "merge.weight=1.0")
    assert fourth.returncode == 1
    run, tasks = last_flow(server, "pipeline")
    assert run["state_name"] == "Failed"
    assert "stage use failed (exit 3): error: the weight is 1" in run["state"]["message"]
    assert tasks == {"make": "Cached", "use": "Failed"}
    assert "stage use failed (exit 3): error: the weight is 1" in fourth.stderr
    assert "Traceback" not in fourth.stdout + fourth.stderr


def test_the_parent_run_has_all_parameters_and_its_stages(house: Toy) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=tracking.store(house.root))
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'pipeline'")
    assert parent.data.params["rl.long.tau"] == "0.1"
    assert {"stage_key.make", "stage_key.use"} <= set(parent.data.tags)
    children = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert {child.info.run_name for child in children} == {"make", "use"}
    assert all(child.data.tags["prefect.task_run_id"] for child in children)


def test_dvc_repro_with_a_server_up_is_a_task_run_there(house: Toy, server: str) -> None:
    house.ran()
    params = house.root / "params.yaml"
    params.write_text(params.read_text().replace("seed: 0 ", "seed: 5 ").replace("weight: 1.0", "weight: 0.5"))
    done = house.call("-m", "dvc", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    assert house.ran() == ["make", "use"]
    run, tasks = last_flow(server, "stage")
    assert (run["name"], run["state_name"], tasks) == ("dvc: use", "Completed", {"use": "Completed"})
    assert "made 5" in done.stdout

    params.write_text(params.read_text().replace("weight: 0.5", "weight: 1.0"))
    failed = house.call("-m", "flows.stage", "use", "--", "toys.use")
    assert failed.returncode == 3, failed.stderr
    assert "stage use failed (exit 3): error: the weight is 1" in failed.stderr
    assert last_flow(server, "stage")[0]["state_name"] == "Failed"


def test_all_cached_and_no_server_starts_none(toy: Toy) -> None:
    assert toy.call("-m", "dvc", "repro", "--quiet").returncode == 0
    done = toy.call("-m", "flows.pipeline")
    assert done.returncode == 0
    assert "all 2 stages are cached" in done.stdout
    assert not (toy.root / "artifacts/prefect/server.json").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (["-S", "sed=1"], "error: params.yaml: unknown parameter 'sed'; did you mean 'seed'?"),
        (["--preset", "nope"], "error: no preset 'nope'; there are: "),
        (["nope"], "error: no stage 'nope' in dvc.yaml; there are: make, use"),
    ],
)
def test_a_wrong_command_line_is_one_line(toy: Toy, words: list[str], message: str) -> None:
    done = toy.call("-m", "flows.pipeline", *words)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_what_cannot_work_stops_the_whole_recipe_before_anything_changes(tmp_path: Path) -> None:
    """The project's own graph in an empty repository; not for some of its stages, and not with --anyway."""
    recipe = build(tmp_path)
    shutil.copy(PROJECT / "dvc.yaml", tmp_path / "dvc.yaml")
    for folder in ("stages/problems/examples", "stages/reporting/columns"):
        (tmp_path / folder).mkdir(parents=True)
    before = (tmp_path / "params.yaml").read_bytes()
    words = ("-m", "flows.pipeline", "-S", "rl.long.prompts=1300")
    done = recipe.call(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("cannot work: rl.long.prompts is 1300, but collect.sources ask for 1200 problems only\n")
    assert len(done.stderr.splitlines()) == 2
    assert (tmp_path / "params.yaml").read_bytes() == before
    assert not (tmp_path / "artifacts").exists()
    dead = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}  # so that nothing runs
    for more in (["--anyway"], ["collect"], ["--preset", "reward-model", "reward_model"]):  # a stage that the preset makes
        done = recipe.call(*words, *more, **dead)
        assert done.stderr.startswith("error: PREFECT_API_URL="), done.stderr
        assert b"prompts: 1300" in (tmp_path / "params.yaml").read_bytes()


def test_a_server_that_the_user_names_must_answer(toy: Toy) -> None:
    done = toy.call("-m", "flows.pipeline", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 2
    assert "PREFECT_API_URL=http://127.0.0.1:9/api: no Prefect server answers there" in done.stderr


@pytest.mark.parametrize("number, expected", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_pipeline_leaves_no_stage_behind(
    toy: Toy, server: str, pids: Pids, nobody: Nobody, number: signal.Signals, expected: int
) -> None:
    graph = "stages:\n  family:\n    cmd: python -m flows.stage family -- toys.family\n    outs: [artifacts/never.txt]\n"
    (toy.root / "dvc.yaml").write_text(graph)
    with toy.start("-m", "flows.pipeline", PREFECT_API_URL=server) as flow:
        found = pids(300)
        everyone = [child.pid for child in psutil.Process(flow.pid).children(recursive=True)]
        assert set(found) <= set(everyone)
        flow.send_signal(number)
        nobody(everyone, 60)
        assert flow.wait(60) == expected
        said = flow.communicate()[0]
    assert "Traceback" not in said
    if number == signal.SIGINT:
        assert "interrupted; the same command goes on where this stopped" in said
