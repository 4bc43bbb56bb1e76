"""A run's folder: steps in order, done ones not again, faults with their last lines, nobody left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from imports import PROJECT

from stages.data.files import DataError
from stages.study.steps import Step
from stages.study.workspace import TIMINGS, Workspace

PROGRAM = """
import os, sys, time
assert "K15_SPOOL" not in os.environ
print("working on", sys.argv[1], flush=True)
if sys.argv[1] == "fails":
    sys.exit("error: no luck")
if sys.argv[1] == "waits":
    open("pid", "w").write(str(os.getpid()))
    time.sleep(600)
open(sys.argv[1], "a").write("once")
"""


def workspace(name: str = "rest-0") -> Workspace:
    made = Workspace(name, [], {"seed": 0})
    (made.folder / "program.py").write_text(PROGRAM)
    return made


def step(name: str) -> Step:
    return Step(name, ("program", name))


def test_done_steps_are_not_repeated_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("K15_SPOOL", "the parent's")
    with pytest.raises(DataError, match=r"(?s)rest-0: fails failed \(exit 1\); .*rest-0/\w+/fails.log.*error: no luck"):
        workspace().run([step("one"), step("fails"), step("two")])
    again = workspace()
    again.run([step("one"), step("two")])
    assert (again.folder / "one").read_text() == "once"
    again.hand_over(Path("out"), ["one", "two"])
    assert (Path("out/two").read_text(), again.folder.exists()) == ("once", False)
    assert set(json.loads((TIMINGS / "rest-0.json").read_text())) == {"one", "two"}


def test_other_values_are_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Workspace("rest-0", [], {"seed": 0}).folder != Workspace("rest-0", [], {"seed": 1}).folder


def test_a_trunk_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"trunk/artifacts/problems: no such folder; make the trunk first"):
        workspace().link(Path("trunk"), ["artifacts/problems"])


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("killed", ["run", "asker"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_is_killed_takes_the_program_along(tmp_path: Path, number: signal.Signals, killed: str) -> None:
    """The run itself, or who asked for it (as dvc does, through a shell): then the run sees that it has another parent."""
    script = "from test_workspace import step, workspace; workspace().run([step('waits')])"
    words = [sys.executable, "-c", script] if killed == "run" else ["sh", "-c", f'{sys.executable} -c "{script}"; true']
    paths = os.pathsep.join([str(PROJECT), str(PROJECT / "tests"), str(PROJECT / "tests/study")])
    process = subprocess.Popen(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (found := list(tmp_path.glob("artifacts/state/*/*/pid"))) or not found[0].read_text():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    child = int(found[0].read_text())
    process.send_signal(number)
    process.wait(30)
    until = time.monotonic() + 20
    while alive(child):
        assert time.monotonic() < until, "the program outlived the run"
        time.sleep(0.05)
