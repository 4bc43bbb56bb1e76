"""Orchestration: what a stage costs beyond its own program, and `dvc repro` with nothing to do on the real graph.

A stage's cost is the difference between `python -m flows.stage NAME -- MODULE` (ranks, process group, progress, timing, MLflow)
and `python -m MODULE` alone, in turns. Once with a program that does nothing, where MLflow's start is in full view; once with one
that sleeps five seconds, as real stages take longer, and MLflow comes up beside them; once more with a Prefect server that keeps
each stage as a task run. `dvc repro` with nothing to do runs over dvc.yaml itself, in a copy of the repository with a small
stand-in for every output recorded in dvc.lock, against the start of DVC alone (`dvc --help`)."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measure import ROOT, Row, alternate, seconds

sys.path.insert(0, str(ROOT / "tests/flows"))
from toy_repository import Toy, build, environ

from flows import keys

SLEEP = 5.0
WRAPPED = ("-m", "flows.stage", "sleep", "--")


def run(repeats: int) -> list[Row]:
    """Costs without and with a server, and the no-op of DVC."""
    repeats = min(repeats, 3)
    with tempfile.TemporaryDirectory() as folder:
        toy = build(Path(folder) / "toy")
        (toy.root / "nothing.py").write_text("", encoding="utf-8")
        (toy.root / "sleeper.py").write_text(f"import time; time.sleep({SLEEP})\n", encoding="utf-8")
        graph = "stages: {sleep: {cmd: python -m flows.stage sleep -- sleeper}}\n"
        (toy.root / "dvc.yaml").write_text(graph, encoding="utf-8")
        rows = [
            cost("stage that does nothing", toy, "nothing", repeats),
            cost(f"stage of {SLEEP:g} s", toy, "sleeper", repeats),
            with_server(toy, repeats),
        ]
        return [*rows, no_op(Path(folder) / "copy", repeats)]


def call(toy: Toy, *words: str, **extra: str) -> None:
    done = toy.call(*words, K15_TRACKING="on", **extra)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout[-1000:]}{done.stderr[-2000:]}")


def cost(name: str, toy: Toy, module: str, repeats: int, **extra: str) -> Row:
    """The wrapper around `module` against the module alone."""
    a, b = alternate(timed(lambda: call(toy, *WRAPPED, module, **extra)), timed(lambda: call(toy, "-m", module)), repeats)
    return Row(name, "s", a, b, "the same program alone", 3.0, {}, "cost")


def timed(work: Callable[[], None]) -> Callable[[int], float]:
    return lambda _: seconds(work)


def with_server(toy: Toy, repeats: int) -> Row:
    """The same with a Prefect server of its own up, as under `make run`."""
    with tempfile.TemporaryDirectory() as folder:
        house = Toy(Path(folder), environ(Path(folder)))
        started = house.call("-m", "flows.server", "up", timeout=300)
        if started.returncode:
            raise RuntimeError(started.stderr)
        try:
            login = {"PREFECT_API_URL": started.stdout.strip(), "PREFECT_API_AUTH_STRING": keys.auth(house.root)}
            return cost(f"stage of {SLEEP:g} s with a server", toy, "sleeper", repeats, **login)
        finally:
            house.call("-m", "flows.server", "down")


def no_op(root: Path, repeats: int) -> Row:
    """`dvc repro` on the real graph when nothing has changed."""
    toy = Toy(root, environ(root.parent))
    copied(root)
    written = stand_ins(root)
    git = ["git", "-C", str(root)]
    subprocess.run([*git, "init", "--quiet"], env=toy.environ, check=True)
    call(toy, "-m", "dvc", "commit", "--quiet", "--force", "dvc.yaml")
    subprocess.run([*git, "add", "."], env=toy.environ, check=True, capture_output=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "all of it"], env=toy.environ, check=True)
    done = toy.call("-m", "dvc", "repro")
    if "up to date" not in done.stdout or "Running stage" in done.stdout:
        raise RuntimeError(f"dvc repro had something to do: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    a, b = alternate(
        timed(lambda: call(toy, "-m", "dvc", "repro", "--quiet")), timed(lambda: call(toy, "-m", "dvc", "--help")), repeats
    )
    sizes = {"outputs": written, "stages": done.stdout.count("didn't change")}
    return Row("dvc repro without work", "s", a, b, "the start of DVC", 3.0, sizes, "cost")


def copied(root: Path) -> None:
    """The tracked files of this project."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file() and name != "dvc.lock":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)


def stand_ins(root: Path) -> int:
    """Something small at every output of the graph, and every file in one that a stage reads; how many outputs there are."""
    from dvc.repo import Repo

    with Repo(str(root), uninitialized=True) as repo:
        stages = [stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"]
        outs = [Path(out.fs_path) for stage in stages for out in stage.outs]
        deps = [Path(dep.fs_path) for stage in stages for dep in stage.deps]
    for out in [*outs, *deps]:
        path = out if out.suffix else out / "stand_in.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text("{}\n", encoding="utf-8")
    return len(outs)
