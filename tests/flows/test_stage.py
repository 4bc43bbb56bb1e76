"""One stage under its wrapper: exit codes, last words, timings, and nobody left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pydantic
import pytest
from toy_repository import Nobody, Pids, Toy

from flows import stage

PROBE = """
import runpy, sys
sys.argv = ["flows.stage", "make", "--", "toys.make"]
try:
    runpy.run_module("flows.stage", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", sorted({name.split(".")[0] for name in sys.modules} & {"prefect", "mlflow", "dvc", "torch"}))
"""
FAMILY = ("-m", "flows.stage", "family", "--", "toys.family")


def test_without_a_server_nothing_heavy_is_imported(toy: Toy) -> None:
    done = toy.call("-c", PROBE)
    assert "LOADED []" in done.stdout, done.stdout + done.stderr


def test_timing_and_spool_of_a_finished_stage(toy: Toy) -> None:
    done = toy.call("-m", "flows.stage", "make", "--", "toys.make")
    assert done.returncode == 0, done.stderr
    assert "made 0" in done.stdout
    timing = json.loads((toy.root / "artifacts/timings/make.json").read_text())
    assert timing["stage"] == "make"
    assert 0.1 < timing["seconds"] < 60
    rows = [json.loads(line) for line in (toy.root / "artifacts/spool/make.jsonl").read_text().splitlines()]
    assert [row["loss"] for row in rows if "loss" in row] == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]


def test_a_completed_runs_spool_is_no_part_of_the_next(toy: Toy) -> None:
    spool, timing = toy.root / "artifacts/spool/x.jsonl", toy.root / "artifacts/timings/x.json"
    for path, text in ((spool, '{"step": 7, "time": 1.0}\n'), (timing, "{}")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    toy.call("-m", "flows.stage", "x", "--", "toys.ranks")
    assert not spool.exists()
    spool.write_text('{"step": 7, "time": 1.0}\n')
    timing.unlink()  # the last run was interrupted: its curve belongs to the resumed run
    toy.call("-m", "flows.stage", "x", "--", "toys.ranks")
    assert spool.exists()


def test_exit_code_and_last_words_come_through(toy: Toy) -> None:
    toy.call("-m", "flows.stage", "make", "--", "toys.make")
    (toy.root / "params.yaml").write_text((toy.root / "params.yaml").read_text().replace("weight: 0.5", "weight: 1.0"))
    done = toy.call("-m", "flows.stage", "use", "--", "toys.use")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "stage use failed (exit 3): error: the weight is 1"
    assert not (toy.root / "artifacts/timings/use.json").exists()


def test_a_program_that_does_not_exist(toy: Toy) -> None:
    done = toy.call("-m", "flows.stage", "x", "--", "toys.absent")
    assert done.returncode == 1
    assert "No module named toys.absent" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", [["x"], ["x", "--"], ["x", "--processes", "0", "--", "toys.make"]])
def test_a_wrong_command_line_is_usage(toy: Toy, words: list[str]) -> None:
    done = toy.call("-m", "flows.stage", *words)
    assert done.returncode == 2
    assert "usage: python -m flows.stage" in done.stderr


def test_arguments_of_the_program_may_look_like_ours(toy: Toy) -> None:
    done = toy.call("-m", "flows.stage", "x", "--", "toys.ranks", "--processes", "7", "--", "-h")
    assert done.returncode == 0, done.stderr
    assert json.loads((toy.root / "rank0.json").read_text())[4:] == ["--processes", "7", "--", "-h"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_wrapper_leaves_nobody(toy: Toy, pids: Pids, nobody: Nobody, number: signal.Signals) -> None:
    """The toy's children ignore SIGTERM, so that the grace of five seconds passes before they are killed."""
    with toy.start(*FAMILY) as wrapper:
        found = pids(300)
        helpers = [child.pid for child in psutil.Process(wrapper.pid).children(recursive=True)]
        assert set(found) <= set(helpers)
        wrapper.send_signal(number)
        nobody(helpers, 60)
        expected = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
        assert wrapper.wait(60) == expected


def test_when_dvc_is_killed_the_stage_goes_too(toy: Toy, pids: Pids, nobody: Nobody) -> None:
    with (toy.root / "dvc.yaml").open("a") as file:
        file.write("  family:\n    cmd: python -m flows.stage family -- toys.family\n    outs: [artifacts/never.txt]\n")
    with toy.start("-m", "dvc", "repro", "family") as dvc:
        found = pids(300)
        everyone = [child.pid for child in psutil.Process(dvc.pid).children(recursive=True)]
        dvc.kill()
        nobody(sorted({*found, *everyone}), 60)
        assert dvc.wait(60) == -signal.SIGKILL


def test_it_works_where_mlflow_prefect_and_dvc_are_not_installed(toy: Toy, tmp_path: Path) -> None:
    """A view of the installed packages without those three; -S keeps Python from adding the full one."""
    bare = tmp_path / "bare"
    bare.mkdir()
    for entry in Path(pydantic.__file__).parents[1].iterdir():
        if not entry.name.startswith(("mlflow", "prefect", "dvc", "_")) and not entry.name.endswith(".pth"):
            (bare / entry.name).symlink_to(entry)
    paths = os.pathsep.join([toy.environ["PYTHONPATH"], str(bare)])
    done = toy.call("-S", "-m", "flows.stage", "make", "--", "toys.make", PYTHONPATH=paths, K15_TRACKING="on")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (toy.root / "artifacts/made.txt").read_text() == "0"
    assert not (toy.root / "artifacts/mlflow").exists()
    assert subprocess.run(
        [sys.executable, "-S", "-c", "import prefect"], env={**toy.environ, "PYTHONPATH": paths}, capture_output=True
    ).returncode, "the view still has Prefect: this test shows nothing"


def test_stages_on_one_gpu_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock alone, on any machine: a holder in another process, killed with -9, frees it."""
    lock = tmp_path / "lock"
    hold = f"""
import fcntl, time
file = open({str(lock)!r}, "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        monkeypatch.setenv("K15_GPU_LOCK", str(lock))
        monkeypatch.setattr(stage, "GPU_DEVICE", Path(__file__))
        threading.Timer(0.8, holder.kill).start()
        begun = time.monotonic()
        with stage.gpu_lock("sft@long"):
            assert 0.7 < time.monotonic() - begun < 5
    with stage.gpu_lock("collect"):
        pass
