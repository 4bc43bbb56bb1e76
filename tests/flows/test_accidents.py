"""Runs on a real Prefect server that are cancelled, queue, or lose their worker or their server in the middle."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_pipeline import ask
from toy_repository import Nobody, Pids, Toy, build, clients

from flows import server as local

ENDED = ("Completed", "Failed", "Crashed", "Cancelled")


@pytest.fixture
def family(toy: Toy, server: str) -> Toy:
    """The toy with one more stage, which never ends, and whose processes ignore SIGTERM."""
    toy.environ["PREFECT_API_URL"] = server
    with (toy.root / "dvc.yaml").open("a") as file:
        file.write("  family:\n    cmd: python -m flows.stage family -- toys.family\n    outs: [artifacts/never.txt]\n")
    return toy


@contextlib.contextmanager
def running(toy: Toy, *words: str) -> Iterator[psutil.Process]:
    """A program that serves runs; at the end it and its children are gone."""
    with (toy.root / "home/serve.log").open("a") as log:
        process = psutil.Popen([sys.executable, *words], cwd=toy.root, env=clients(toy.environ), stdout=log, stderr=log)
    try:
        yield process
    finally:
        everyone = [process, *process.children(recursive=True)] if process.is_running() else []
        for member in everyone:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.terminate()
        for member in psutil.wait_procs(everyone, timeout=30)[1]:
            member.kill()


def deployment(server: str, name: str, seconds: float = 120) -> str:
    until = time.monotonic() + seconds
    while not (found := ask(server, "deployments/filter", deployments={"name": {"any_": [name]}})):
        assert time.monotonic() < until, f"no deployment {name} within {seconds} s"
        time.sleep(0.5)
    return str(found[0]["id"])


def trigger(server: str, name: str, *targets: str) -> str:
    run = ask(server, f"deployments/{deployment(server, name)}/create_flow_run", parameters={"targets": list(targets)})
    return str(run["id"])


def state(server: str, run: str) -> str:
    (found,) = ask(server, "flow_runs/filter", flow_runs={"id": {"any_": [run]}})
    return str(found["state_name"])


def ended(server: str, run: str, seconds: float = 180) -> str:
    until = time.monotonic() + seconds
    while (now := state(server, run)) not in ENDED:
        assert time.monotonic() < until, f"{run} is {now} after {seconds} s"
        time.sleep(0.5)
    return now


def change(server: str, run: str, kind: str, name: str) -> dict[str, Any]:
    """What the page's buttons send: Cancel is CANCELLING, Retry is SCHEDULED, "AwaitingRetry"."""
    answer: dict[str, Any] = ask(server, f"flow_runs/{run}/set_state", state={"type": kind, "name": name}, force=False)
    return answer


@pytest.mark.slow
def test_a_cancelled_run_leaves_no_process_and_no_lock_and_the_next_one_starts(
    family: Toy, server: str, pids: Pids, nobody: Nobody
) -> None:
    """One run at a time: the second waits until the first was cancelled, then completes in the same repository."""
    with running(family, "-m", "flows.deployments", "--name", "cancelled") as serve:
        first = trigger(server, "cancelled", "family")
        found = pids(120)
        everyone = [child.pid for child in serve.children(recursive=True)]
        assert set(found) <= set(everyone)
        second = trigger(server, "cancelled", "use")
        time.sleep(6)
        assert (state(server, first), state(server, second)) == ("Running", "Scheduled") or state(server, second) == "Late"
        change(server, first, "CANCELLING", "Cancelling")
        nobody(found, 60)
        assert ended(server, first) == "Cancelled"
        assert ended(server, second) == "Completed"
        assert family.ran() == ["make", "use"]
    assert (family.root / "artifacts/made.txt").read_text() == "0"
    status = family.call("-m", "dvc", "repro", "--dry", "use")
    assert "didn't change" in status.stdout
    assert "is busy" not in status.stderr


@pytest.mark.slow
def test_a_run_that_lost_its_worker_is_retried_by_the_next_one(family: Toy, server: str, pids: Pids, nobody: Nobody) -> None:
    """kill -9 of the worker and its flow: nobody is left, and what the page's Retry asks for goes on at the next worker."""
    made = family.call("-m", "flows.deployments", "--pool", "gpus", "--name", "lost", timeout=120)
    assert made.returncode == 0, made.stderr
    assert "prefect worker start --pool gpus --limit 1" in made.stdout
    worker = ("-m", "prefect", "worker", "start", "--pool", "gpus", "--limit", "1")
    with running(family, *worker) as first:
        run = trigger(server, "lost", "family", "use")
        pids(180)
        everyone = [child.pid for child in first.children(recursive=True)]
        for member in [first, *first.children()]:  # the worker and the flow; what they started must go by itself
            member.kill()
        nobody(everyone, 60)
    graph = family.root / "dvc.yaml"
    text = graph.read_text()
    graph.write_text(text[: text.index("  family:")] + "  family:\n    cmd: echo 1 > artifacts/2\n    outs: [artifacts/2]\n")
    with running(family, *worker):
        if state(server, run) not in ENDED:
            change(server, run, "CRASHED", "Crashed")
        change(server, run, "SCHEDULED", "AwaitingRetry")
        time.sleep(1)
        assert ended(server, run) == "Completed"
    assert family.ran() == ["make", "use"]


@pytest.mark.slow
def test_a_server_that_dies_costs_no_finished_work(tmp_path: Path, nobody: Nobody) -> None:
    """kill -9 of the project's own server while a stage runs; the same command starts it and goes on."""
    toy = build(tmp_path)
    graph = "stages:\n  halves:\n    cmd: python -m flows.stage halves -- toys.halves\n    params: [seed]\n"
    (toy.root / "dvc.yaml").write_text(f"{graph}    outs: [artifacts/halves]\n")
    (toy.root / "hold").touch()
    try:
        with toy.start("-m", "flows.pipeline", PREFECT_CLIENT_MAX_RETRIES="1") as flow:
            until = time.monotonic() + 240
            while not (toy.root / "pid.txt").exists():
                assert time.monotonic() < until
                assert flow.poll() is None
                time.sleep(0.1)
            everyone = [child.pid for child in psutil.Process(flow.pid).children(recursive=True)]
            held = local._state(toy.root)
            assert held
            os.kill(int(held["pid"]), signal.SIGKILL)
            (toy.root / "hold").unlink()
            said = flow.communicate(timeout=180)[0]
            nobody([pid for pid in everyone if pid != int(held["pid"])], 30)
        assert flow.returncode == 2
        assert "the same command goes on where" in said
        before = (toy.root / "pid.txt").read_text()
        again = toy.call("-m", "flows.pipeline")
        assert again.returncode == 0, said + again.stdout + again.stderr
        assert (toy.root / "pid.txt").read_text() == before, "the stage had ended and ran again"
        assert (toy.root / "artifacts/halves/199").read_text() == "0 199 first\n0 199 second\n"
    finally:
        toy.call("-m", "flows.server", "down")
