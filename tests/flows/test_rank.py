"""A dead rank ends the whole job, the job says which and how, and the same command goes on from there."""

import os
import signal
import sys
import time
from pathlib import Path
from subprocess import CompletedProcess

import psutil
import pytest
from tiny import Tiny, write_params
from toy_repository import Toy

from flows import launch
from flows.stage import reason
from stages.data.files import write_records

MINUTE = 60.0


def torchrun() -> str:
    return f"{sys.executable} -m torch.distributed.run --nnodes 1 --nproc-per-node 2 --master-port {launch.free_port()}"


def two_ranks(toy: Toy, way: str, launcher: str | None = None) -> CompletedProcess[str]:
    words = ("-m", "flows.stage", "dying", "--processes", "2", "--", "toys.dying", way)
    return toy.call(*words, K15_LAUNCHER=torchrun() if launcher is None else launcher, K15_COLLECTIVE_MINUTES="30")


def last_line(done: CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def test_a_rank_that_raises_shows_its_traceback_and_ends_the_job(toy: Toy) -> None:
    done = two_ranks(toy, "raise")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "in die" in done.stderr
    assert "error: rank 1 of 2, step 3: KeyError: 'no such thing'" in done.stderr
    assert "rank 1 of 2 ended with exit code 1" in done.stderr
    assert last_line(done).endswith("error: rank 1 of 2, step 3: KeyError: 'no such thing'")
    assert "is through" not in done.stdout


def test_a_rank_that_is_killed_is_named_and_ends_the_job(toy: Toy) -> None:
    """By DeepSpeed's launcher, which tells of no signal and no rank itself."""
    done = two_ranks(toy, "kill", launcher="")
    assert done.returncode != 0
    assert "rank 1 of 2 was killed by signal 9; the kernel does that when memory runs out" in last_line(done)
    assert "is through" not in done.stdout


def test_ranks_that_end_well_say_nothing(toy: Toy) -> None:
    done = two_ranks(toy, "nothing")
    assert done.returncode == 0, done.stderr
    assert "rank 0 is through" in done.stdout
    assert "ended with" not in done.stderr


def test_the_first_rank_that_failed_is_the_reason() -> None:
    """Which of two watchers speaks first is chance; what a rank says itself it says before the others can know."""
    said = ["error: d.jsonl: no such file", "error: rank 0 of 2, adding up: closed by peer"]
    for ended in (
        ["rank 0 of 2 ended with exit code 1", "rank 1 of 2 ended with exit code 2"],
        ["rank 0 of 2 was killed by signal 6"],
    ):
        assert reason([*said, *ended, "[ERROR] exits with return code = 2"]) == said[0]
    killed = "rank 1 of 2 was killed by signal 9; memory"
    assert reason([said[1], "rank 0 of 2 ended with exit code 1", f"[node2] {killed}", "[ERROR]"]) == killed
    assert reason(["Traceback", "rank 0 of 2 ended with exit code 1", "x"]) == "rank 0 of 2 ended with exit code 1"
    assert reason(["error: a", "b"]) == "b", "one process: its last words"
    assert reason([]) == "it printed no reason"


def rank_one(wrapper: psutil.Process) -> psutil.Process:
    """The training process of rank 1 below the wrapper."""
    for child in wrapper.children(recursive=True):
        words = child.cmdline()
        if "stages.sft" in words and "flows.rank" not in words and child.environ().get("RANK") == "1":
            return child
    raise AssertionError("no rank 1")


@pytest.mark.slow
def test_training_on_two_ranks_survives_the_death_of_one(tiny: Tiny, toy: Toy) -> None:
    """ZeRO-2: rank 1 is killed in the middle; within a minute nobody is left; the same command completes."""
    changed = {"sft__long__epochs": 6, "sft__long__batch": 6, "hardware__processes": 2, "hardware__zero_stage": 2}
    changed["hardware__save_seconds"] = 0
    write_params(toy.root, **changed)
    write_records(toy.root / "demonstrations.jsonl", tiny.demonstrations()[:24])
    words = ["-m", "flows.stage", "sft@long", "--processes", "2", "--", "stages.sft", "long", "--init", str(tiny.folder)]
    words += ["--demonstrations", "demonstrations.jsonl", "--out", "out", "--curves", "curves.csv", "--left-out", "left_out.json"]
    spool = toy.root / "artifacts/spool/sft@long.jsonl"
    with toy.start(*words, K15_LAUNCHER=torchrun()) as wrapper:
        until = time.monotonic() + 400
        while not (spool.exists() and spool.read_text().count('"loss"') >= 3):
            assert wrapper.poll() is None, wrapper.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.02)
        everyone = psutil.Process(wrapper.pid).children(recursive=True)
        os.kill(rank_one(psutil.Process(wrapper.pid)).pid, signal.SIGKILL)
        killed = time.monotonic()
        told, _ = wrapper.communicate(timeout=4 * MINUTE)
        assert time.monotonic() - killed < MINUTE
    assert wrapper.returncode != 0
    assert "rank 1 of 2 was killed by signal 9" in told.splitlines()[-1], told[-3000:]
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in everyone)
    assert not (toy.root / "out").exists()
    done = toy.call(*words, K15_LAUNCHER=torchrun(), timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = Path(toy.root / "curves.csv").read_text().splitlines()
    assert len(rows) == 1 + 6 * 4, "every step once"
