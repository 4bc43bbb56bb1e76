"""Runs one stage: `python -m flows.stage NAME [--processes N] -- MODULE ARGS`, the command of every stage in dvc.yaml.

It is an ordinary wrapper around `python -m MODULE ARGS`: ranks, one process group, live progress, timings, MLflow. With
a Prefect server up, and not already inside a task, it first opens a flow with a task there, which runs this command
again; with none it does not import Prefect. It works with neither Prefect nor MLflow nor DVC installed."""

import argparse
import contextlib
import fcntl
import gc
import importlib.util
import os
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows import afresh, environment, launch, tracking
from flows.feeder import Feeder
from flows.hashing import hash_checkpoints
from flows.processes import Group, Parent, exit_on_signals
from flows.progress import Progress, Screen, Tail, clock
from flows.server import answering, use_server
from stages.data.files import write_json
from stages.run.secrets import hidden

GPU_STAGES = {"base", "sft", "curate", "warm_up", "rl", "sample", "dpo", "evaluate", "reward_model"}
GPU_DEVICE = Path("/dev/nvidiactl")
TASK = "K15_TASK_RUN_ID"
"""Set inside a Prefect task; the stage then opens none of its own."""
MARKS = "K15_MARKS"
"""Folder in which a stage that was really executed leaves a file of its name, with code and reason when it failed."""

RANK_ENDED = re.compile(r"\brank \d+ of \d+ (?:was killed by signal|ended with exit code) .*")
"""What flows.rank says."""
RANK_KILLED = re.compile(r"\brank \d+ of \d+ was killed by signal (?!6\b).*")
"""Not by SIGABRT: so ends, too, who waits for the others in vain."""


@dataclass(frozen=True)
class Stage:
    """One invocation: what to run and under which name."""

    name: str
    processes: int
    module: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        """The words that run this very invocation again."""
        words = [sys.executable, "-m", "flows.stage", self.name, "--processes", str(self.processes)]
        return [*words, "--", self.module, *self.arguments]


def main() -> int:
    """The command line; returns the stage's exit code."""
    stage = parse(sys.argv[1:])
    root = Path.cwd()
    environment.prepare(root)
    exit_on_signals()
    url = answering(root) if TASK not in os.environ and importlib.util.find_spec("prefect") else None
    if url:
        use_server(root, url)
        from flows.tasks import run_single  # the only way Prefect gets into this process

        return run_single(stage.name, stage.command, root)
    try:
        return execute(stage, root)
    except launch.LaunchError as error:
        return failed(stage.name, 2, str(error))
    except KeyboardInterrupt:
        return failed(stage.name, 130, "interrupted")


def parse(words: list[str]) -> Stage:
    """The invocation that the command line asks for; exits with usage when it is none."""
    parser = argparse.ArgumentParser(prog="python -m flows.stage", description=__doc__)
    parser.add_argument("name", help="stage of dvc.yaml, e.g. sft@long")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="ranks")
    parser.add_argument("program", nargs="+", metavar="-- MODULE ARGS", help="what `python -m` runs")
    own, program = words, list[str]()
    if "--" in words:
        place = words.index("--")
        own, program = [*words[:place], "--", *words[place + 1 : place + 2]], words[place + 2 :]
    found = parser.parse_args(own)
    if found.processes < 1:
        parser.error(f"--processes {found.processes}: at least 1")
    return Stage(found.name, found.processes, found.program[0], (*found.program[1:], *program))


def execute(stage: Stage, root: Path) -> int:
    """Run the program on its ranks until it ends or our parent dies; the exit code as a shell would give it."""
    mark(stage.name)
    if afresh.wanted():
        afresh.drop(root, stage.name)
    spool, timing = root / f"artifacts/spool/{stage.name}.jsonl", root / f"artifacts/timings/{stage.name}.json"
    if timing.exists():  # the last run was completed: its curve is no part of this one
        spool.unlink(missing_ok=True)
    timing.unlink(missing_ok=True)
    command = launch.command(stage.module, stage.arguments, stage.processes)
    environ = {**launch.environment(stage.processes), "K15_SPOOL": str(spool)}
    screen, errors, parent = Screen(), deque[str](maxlen=500), Parent()

    def sink(line: str, stream: str) -> None:
        if stream == "stderr" and line.strip():
            errors.append(line)
        screen.line(line, stream)

    with gpu_lock(stage.name):
        start, code = time.time(), 130
        feeder = Feeder(root, stage.name, spool, start)
        with feeder, Group(command, sink, environ, root) as group:
            if tracking.available():
                feeder.start()
            try:
                code = follow(group, parent, Progress(stage.name), Tail(spool, start), screen)
            finally:
                screen.close()
    seconds = time.time() - start
    if code == 0:
        write_json(timing, {"stage": stage.name, "seconds": round(seconds, 3)})
        screen.progress(None)
        hash_checkpoints(root, stage.name, start)
    if feeder.ident is not None:  # it was started
        feeder.finish(code)
    if code:
        return failed(stage.name, code, reason(list(errors)))
    if not os.environ.get(TASK):
        print(f"{stage.name}  done in {clock(seconds)}", flush=True)
    return 0


def reason(errors: Sequence[str]) -> str:
    """Why a program failed, by its last lines on stderr: the last one. Of several ranks the one that failed first counts, since the
    others fail for want of it: one killed from outside, or the first that said `error: ...` (it did so before it left)."""
    if any(RANK_ENDED.search(line) for line in errors):
        for pattern in (RANK_KILLED, re.compile("^error: .*"), RANK_ENDED):
            if found := next(filter(None, map(pattern.search, errors)), None):
                return found[0]
    return errors[-1] if errors else "it printed no reason"


def follow(group: Group, parent: Parent, progress: Progress, tail: Tail, screen: Screen) -> int:
    """Wait for the program, redrawing its progress; 143 when our parent died and the program must go too."""
    look = time.monotonic()
    while (code := group.wait(0.2)) is None:
        if time.monotonic() - look < 0.5:
            continue
        look = time.monotonic()
        progress.update(tail.rows())
        screen.progress(progress.line())
        if parent.gone():
            return 143
    return code


def mark(name: str, failure: str = "") -> None:
    """Tell the flow above that the stage was executed, and how it failed."""
    if folder := os.environ.get(MARKS):
        Path(folder, name).write_text(failure, encoding="utf-8")


def failed(name: str, code: int, reason: str) -> int:
    """Say so on one last line; returns `code`."""
    reason = hidden(reason)
    mark(name, f"{code} {reason}")
    print(f"stage {name} failed (exit {code}): {reason}", file=sys.stderr, flush=True)
    return code


@contextlib.contextmanager
def gpu_lock(name: str) -> Iterator[None]:
    """One stage of this user at a time on the same GPUs; the kernel frees the lock when its holder dies in any way."""
    if name.split("@")[0] not in GPU_STAGES or not GPU_DEVICE.exists():
        yield
        return
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "all").replace(",", "-")
    path = Path(os.environ.get("K15_GPU_LOCK") or f"{tempfile.gettempdir()}/k15-{os.getuid()}-gpu-{devices}.lock")
    with path.open("w") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    print(f"{name}  waits for the GPU: another stage holds {path}", flush=True)
                waiting = True
                time.sleep(0.5)
        yield


if __name__ == "__main__":
    code = main()
    gc.freeze()  # else Python would end by looking for garbage in all of MLflow
    sys.exit(code)
