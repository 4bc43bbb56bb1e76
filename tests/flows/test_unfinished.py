"""MLflow's runs of stages and pipelines that were interrupted, cancelled or killed: each gets its end, and its rows are stored."""

import json
import signal
import subprocess
import time
from pathlib import Path

import mlflow
import psutil
import pytest
from test_accidents import change, ended, running, trigger
from toy_repository import Toy, build

from flows import kept, tracking, unfinished

GRAPH = """stages:
  halves:
    cmd: python -m flows.stage halves -- paced
    outs: [artifacts/halves]
  after:
    cmd: python -m flows.stage after -- toys.make
    deps: [artifacts/halves]
    params: [seed]
    outs: [artifacts/made.txt]
"""
PACED = """
import time
from pathlib import Path
from stages.run.spool import stage_spool
spool = stage_spool("halves")
for step in range(len(spool.rows()), 10_000):
    spool.log(step, {"loss": float(step)})
    Path("step").write_text(str(step))
    if step >= 5 and not Path("hold").exists():
        break
    time.sleep(0.02)
Path("artifacts").mkdir(exist_ok=True)
Path("artifacts/halves").write_text("done")
"""


@pytest.fixture
def paced(tmp_path: Path) -> Toy:
    """A stage that logs fifty rows a second as long as the file `hold` is there, then one more."""
    toy = build(tmp_path)
    (toy.root / "dvc.yaml").write_text(GRAPH)
    (toy.root / "paced.py").write_text(PACED)
    toy.environ |= {"K15_TRACKING": "on", "PYTHONPATH": f"{toy.root}:{toy.environ['PYTHONPATH']}"}
    (toy.root / "hold").touch()
    return toy


def runs(toy: Toy) -> list[tuple[str, str, int]]:
    """Name, status and number of rows of each run, the oldest first."""
    client = mlflow.MlflowClient(tracking_uri=tracking.store(toy.root))
    found = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert found
    listed = client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"])
    rows = {run.info.run_id: len(client.get_metric_history(run.info.run_id, "loss")) for run in listed}
    return [(run.info.run_name.split()[0], run.info.status, rows[run.info.run_id]) for run in listed]


def opened(toy: Toy) -> None:
    """Wait until the stage's run is in MLflow with some rows."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        if (toy.root / "artifacts/mlflow/mlflow.db").exists() and any(rows for _, _, rows in runs(toy)):
            return
        time.sleep(0.5)
    raise AssertionError("no run in MLflow")


def steps(toy: Toy) -> int:
    """Rows that the stage has logged."""
    lines = (toy.root / "artifacts/spool/halves.jsonl").read_text().splitlines()
    return sum('"loss"' in line for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_stage_is_killed_in_mlflow_with_all_its_rows(paced: Toy, number: signal.Signals) -> None:
    with paced.start("-m", "dvc", "repro", "halves") as dvc:
        opened(paced)
        (stage,) = [one for one in psutil.Process(dvc.pid).children(recursive=True) if "flows.stage" in one.cmdline()][-1:]
        stage.send_signal(number)
        dvc.communicate(timeout=120)
    assert runs(paced) == [("pipeline", "KILLED", 0), ("halves", "KILLED", steps(paced))]
    assert list((paced.root / "artifacts/open_runs").glob("*.json")) == []


def test_a_run_whose_launcher_was_killed_gets_its_end_at_the_next_start(paced: Toy) -> None:
    """kill -9 between two looks at the spool: what was logged after the last one is stored, too."""
    with paced.start("-m", "dvc", "repro", "halves") as dvc:
        opened(paced)
        everyone = [dvc, *psutil.Process(dvc.pid).children(recursive=True)]
        for process in everyone:
            process.kill()
        dvc.communicate(timeout=60)
    rows = steps(paced)
    (killed,) = [run for run in runs(paced) if run[0] == "halves"]
    assert killed[1] == "RUNNING"
    assert killed[2] < rows, "it was killed too late to show that rows are stored later"
    (paced.root / "hold").unlink()
    done = paced.call("-m", "dvc", "repro", "halves")
    assert done.returncode == 0, done.stdout + done.stderr
    found = runs(paced)
    assert found[:2] == [("pipeline", "KILLED", 0), ("halves", "KILLED", rows)]
    assert [run[:2] for run in found[2:]] == [("pipeline", "FINISHED"), ("halves", "FINISHED")]
    assert list((paced.root / "artifacts/open_runs").glob("*.json")) == []
    assert list((paced.root / "artifacts/replay").iterdir()) == []


@pytest.mark.slow
def test_a_pipeline_that_was_killed_gets_its_end_at_the_next_start(paced: Toy, server: str) -> None:
    """The launcher of `make run` and all below it; the next one finds everything cached and runs nothing."""
    paced.environ["PREFECT_API_URL"] = server
    with paced.start("-m", "flows.pipeline", "halves") as flow:
        opened(paced)
        for process in [*psutil.Process(flow.pid).children(recursive=True), flow]:
            process.kill()
        flow.communicate(timeout=60)
    rows = steps(paced)
    done = paced.call("-m", "flows.k15", "replay")
    assert "2 of 2 kept runs are now in" in done.stdout
    assert runs(paced) == [("pipeline", "KILLED", 0), ("halves", "KILLED", rows)]
    again = paced.call("-m", "flows.k15", "replay")
    assert "nothing is kept" in again.stdout


def test_ctrl_c_of_make_run_ends_both_runs(paced: Toy, server: str) -> None:
    paced.environ["PREFECT_API_URL"] = server
    with paced.start("-m", "flows.pipeline", "halves") as flow:
        opened(paced)
        flow.send_signal(signal.SIGINT)
        said = flow.communicate(timeout=120)[0]
    assert flow.returncode == 130, said
    assert runs(paced) == [("pipeline", "KILLED", 0), ("halves", "KILLED", steps(paced))]


@pytest.mark.slow
def test_cancel_on_prefects_page_ends_both_runs(paced: Toy, server: str) -> None:
    paced.environ["PREFECT_API_URL"] = server
    with running(paced, "-m", "flows.deployments", "--name", "stopped"):
        run = trigger(server, "stopped", "halves")
        opened(paced)
        change(server, run, "CANCELLING", "Cancelling")
        assert ended(server, run) == "Cancelled"
        until = time.monotonic() + 60
        while "RUNNING" in [status for _, status, _ in runs(paced)]:
            assert time.monotonic() < until, runs(paced)
            time.sleep(0.5)
    assert runs(paced) == [("pipeline", "KILLED", 0), ("halves", "KILLED", steps(paced))]


def test_a_note_of_a_living_launcher_or_another_machine_stays(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        alive = psutil.Process(other.pid)
        record = kept.Record("halves", "p", 1.0, {}, None)
        path = unfinished.opened(tmp_path, record, None)
        note = json.loads(path.read_text())
        for launcher in (
            {**note["launcher"], "pid": other.pid, "created": alive.create_time()},
            {"host": "elsewhere", "pid": 1, "created": 1.0},
        ):
            path.write_text(json.dumps({**note, "launcher": launcher}))
            assert unfinished.collect(tmp_path) == []
        path.write_text(json.dumps({**note, "launcher": {**note["launcher"], "created": 1.0}}))  # its number is another's now
        (folder,) = unfinished.collect(tmp_path)
        assert json.loads((folder / "about.json").read_text())["code"] == unfinished.KILLED
        assert not path.exists()
        other.kill()
