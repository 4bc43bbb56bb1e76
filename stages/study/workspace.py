"""A folder in which the programs of a run work, laid out as the project is. It lies outside DVC's outs, keyed by what the run
reads, so that a run that was killed goes on: done steps are not repeated, and the step at work resumes from its own state."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from stages.data.files import DataError, write_json, write_text
from stages.run.state import state_folder
from stages.study.steps import Step

PR_SET_PDEATHSIG = 1
TIMINGS = Path("artifacts/study_timings")
"""Seconds of each run, by its name: measured, so no output that equal runs share."""
POLL = 0.5


class Workspace:
    """The folder of the run `name`."""

    def __init__(self, name: str, inputs: Sequence[Path], params: Mapping[str, Any]) -> None:
        self.name = name
        self.folder = state_folder(f"study-{name}", inputs, params)
        write_text(self.folder / "params.yaml", yaml.safe_dump(dict(params), sort_keys=False))

    def link(self, trunk: Path, paths: Sequence[str]) -> None:
        """Use `paths` of the finished `trunk` as they are. DataError when one is not there."""
        for path in paths:
            source, place = trunk / path, self.folder / path
            if not source.exists():
                raise DataError(f"{source}: no such folder; make the trunk first (dvc repro study/dvc.yaml:trunk)")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.symlink_to(source.resolve())

    def run(self, steps: Sequence[Step]) -> None:
        """Every step that is not done yet, in order; DataError with the last lines of one that fails."""
        done = self.folder / "done"
        done.mkdir(exist_ok=True)
        for number, step in enumerate(steps, 1):
            mark = done / f"{step.name}.json"
            if mark.exists():
                continue
            began = time.time()
            self._run(step)
            write_json(mark, {"seconds": round(time.time() - began, 1)})
            print(f"{self.name}: {step.name} ({number} of {len(steps)}) in {time.time() - began:.0f} s", flush=True)

    def _run(self, step: Step) -> None:
        log = self.folder / f"{step.name}.log"
        with log.open("ab") as output, _child([sys.executable, "-m", *step.words], self.folder, output) as child:
            parent = os.getppid()
            while child.poll() is None:
                time.sleep(POLL)
                if os.getppid() != parent:
                    raise DataError(f"{self.name}: whoever started this run is gone; the same command goes on from here")
        if child.returncode:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-8:]
            failed = f"{self.name}: {step.name} failed (exit {child.returncode}); all it said is in {log}, the end of it:"
            raise DataError("\n".join([failed, *last]))

    def hand_over(self, out: Path, paths: Sequence[str]) -> None:
        """Move `paths` to the finished run's folder `out`, note the seconds, and remove what is left."""
        for path in paths:
            shutil.rmtree(out / path, ignore_errors=True)
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.folder / path, out / path)
        marks = sorted((self.folder / "done").glob("*.json"))
        seconds = {mark.stem: json.loads(mark.read_text(encoding="utf-8"))["seconds"] for mark in marks}
        write_json(TIMINGS / f"{self.name}.json", seconds)
        os.sync()  # what was moved stays moved, whenever the power fails
        shutil.rmtree(self.folder)


@contextmanager
def _child(words: Sequence[str], folder: Path, output: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A program of the project in `folder`, which does not outlive this one: the kernel ends it should we be killed."""
    paths = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    known = {name: value for name, value in os.environ.items() if name != "K15_SPOOL"}  # the spool of this program, if it has one
    child = subprocess.Popen(
        words,
        cwd=folder,
        env={**known, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        preexec_fn=_die_with_parent,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
