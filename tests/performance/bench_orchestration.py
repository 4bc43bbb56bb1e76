"""What the orchestration costs: seconds that a stage takes beyond its own program, and a `dvc repro` with nothing to do.

Run by `make bench`; each number is a difference or a time measured in this very run, on this machine, as it is now."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))
from toy_repository import Toy, build, environ

OUT = Path(__file__).parents[2] / "artifacts/bench/orchestration.json"
SLEEP = 5.0
"""Seconds of the dummy program; MLflow comes up beside it."""


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Median wall-clock seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def run(toy: Toy, *words: str, **extra: str) -> None:
    done = toy.call(*words, K15_TRACKING="on", **extra)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def sleeper(tmp_path: Path) -> Toy:
    """A graph of one stage that sleeps."""
    toy = build(tmp_path / "toy")
    (toy.root / "sleeper.py").write_text(f"import time; time.sleep({SLEEP}); open('out.txt', 'w').write('x')\n")
    stage = "stages: {sleep: {cmd: python -m flows.stage sleep -- sleeper, outs: [out.txt]}}\n"
    (toy.root / "dvc.yaml").write_text(stage)
    run(toy, "-m", "dvc", "repro", "--quiet")
    return toy


def test_orchestration(sleeper: Toy, tmp_path: Path) -> None:
    house = Toy(tmp_path, environ(tmp_path))
    found = {"wrapper": seconds(lambda: run(sleeper, "-m", "flows.stage", "sleep", "--", "sleeper")) - SLEEP}
    found["dvc_repro"] = seconds(lambda: run(sleeper, "-m", "dvc", "repro", "--quiet", "--force")) - SLEEP
    found["dvc_repro_no_op"] = seconds(lambda: run(sleeper, "-m", "dvc", "repro", "--quiet"))
    begun = time.perf_counter()
    url = house.call("-m", "flows.server", "up", timeout=300).stdout.strip()
    found["prefect_server_start"] = time.perf_counter() - begun
    try:
        force = ("-m", "flows.pipeline", "--force")
        found["dvc_repro_with_server"] = (
            seconds(lambda: run(sleeper, "-m", "dvc", "repro", "--quiet", "--force", PREFECT_API_URL=url)) - SLEEP
        )
        found["pipeline_of_one_stage"] = seconds(lambda: run(sleeper, *force, PREFECT_API_URL=url)) - SLEEP
        found["pipeline_all_cached"] = seconds(lambda: run(sleeper, "-m", "flows.pipeline", PREFECT_API_URL=url))
    finally:
        house.call("-m", "flows.server", "down")
    found["pipeline_all_cached_no_server"] = seconds(lambda: run(sleeper, "-m", "flows.pipeline"))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=1) + "\n")
    print(OUT.read_text())
