"""What `make ui` starts, for real: both pages, the recipe served on the project's own server, and an end that leaves nobody."""

import signal
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from test_accidents import state, trigger
from test_pipeline import ask
from toy_repository import KEYS, Nobody, Pids, Toy

from flows import keys, tracking, ui
from flows import server as local


@pytest.mark.parametrize("name", ["plain", "a #b%41 c", "a&b=c;d", "ünï 数"])
def test_mlflows_runs_have_an_address_once_there_are_some(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = tmp_path / name
    root.mkdir()
    assert ui.runs_of(root) == ""
    connected = tracking.Store.connect(root, "p")
    assert (root / tracking.PLACE).is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing lies beside the checkout"
    assert ui.runs_of(root) == f"/#/experiments/{connected.experiment}/runs?workflowType=machine_learning"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert ui.runs_of(root) == ""


@pytest.mark.slow
def test_on_a_server_of_others_only_the_pages_come_up(toy: Toy, server: str, nobody: Nobody) -> None:
    with toy.start("-m", "flows.ui", PREFECT_API_URL=server) as page:
        assert page.stdout
        lines = [page.stdout.readline(), page.stdout.readline()]
        assert lines[0].startswith(f"Prefect  {server.removesuffix('/api')} ")
        login, _, host = lines[1].split()[1].removeprefix("http://").partition("@")
        assert host.startswith("127.0.0.1:")
        assert login == keys.auth(toy.root)
        assert _answers(f"http://{host}", login, 240)
        family = [child.pid for child in psutil.Process(page.pid).children(recursive=True)]
        assert len(family) <= 4, "MLflow's job runner was started"
        page.send_signal(signal.SIGINT)
        assert page.wait(60) == 130
        nobody(family, 60)
    assert local.alive(server, timeout=5)


@pytest.mark.slow
def test_a_run_from_the_page_ends_with_ctrl_c_and_the_server_stays(toy: Toy, pids: Pids, nobody: Nobody) -> None:
    with (toy.root / "dvc.yaml").open("a") as file:
        file.write("  family:\n    cmd: python -m flows.stage family -- toys.family\n    outs: [artifacts/never.txt]\n")
    try:
        with toy.start("-m", "flows.ui") as page:
            url = _served(toy, 300)
            names = {one["name"] for one in ask(url, "deployments/filter")}
            assert names == {"pipeline", "one-stage", "evaluation", "study"}
            again = toy.call("-m", "flows.deployments")
            assert (again.returncode, "serves the recipe already" in again.stdout) == (0, True)
            run = trigger(url, "pipeline", "family")
            pids(180)
            held = local._state(toy.root)
            assert held
            kept = psutil.Process(int(held["pid"]))
            stays = {kept.pid, *(child.pid for child in kept.children(recursive=True))}
            family = {child.pid for child in psutil.Process(page.pid).children(recursive=True)} - stays
            page.send_signal(signal.SIGINT)
            assert page.wait(120) == 130
            nobody(sorted(family), 60)
        assert local.alive(url, timeout=5)
        assert state(url, run) in ("Cancelled", "Crashed")
    finally:
        toy.call("-m", "flows.server", "down")


def _served(toy: Toy, seconds: float) -> str:
    """The address of the project's own server, once the recipe is served there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        url = local.answering(toy.root)
        if url:
            KEYS[url] = keys.auth(toy.root)
        if url and len(ask(url, "deployments/filter")) == 4:
            return url
        time.sleep(0.5)
    raise AssertionError(f"nothing served within {seconds} s")


def _answers(address: str, login: str, seconds: float) -> bool:
    asked = urllib.request.Request(address, headers={"Authorization": keys.basic(login)})
    opener, until = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with opener.open(asked, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.3)
    return False
