"""The service under a load of months: verdicts on 20,000 responses, a report from 10^6 generations, a stage in an MLflow store with
1,000 runs of the pipeline, DVC with 200 experiments. Ours alone; each figure stands beside that of a smaller load, so that a cost
that grows faster than the load is seen. Problems by the hundred thousand are in curation.py.

Every size is run once, each in a process of its own; memory is the peak of that process (VmHWM). The inputs are the committed
results of this checkout and artifacts/generations, as `make run` leaves them, repeated under other names."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from measure import ROOT, Alone, seconds
from orchestration import WRAPPED, call, copied

sys.path.insert(0, str(ROOT / "tests/flows"))
from toy_repository import Toy, build, environ

RESPONSES = (5_000, 20_000)
GENERATIONS = (100_000, 1_000_000)
RUNS = (10, 1_000)
EXPERIMENTS = (20, 200)
PEAK = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    lines = open("/proc/self/status", encoding="utf-8").read().splitlines()
    print("VmHWM", next(line.split()[1] for line in lines if line.startswith("VmHWM")), file=sys.stderr)
"""
"""A program that runs a module and says its peak memory in KiB."""


def run(repeats: int) -> list[Alone]:  # noqa: ARG001 - every benchmark is called alike
    """Two rows for each kind of load."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            *(verdicts(folder, size) for size in RESPONSES),
            *(report(folder / f"report-{size}", size) for size in GENERATIONS),
            *pipeline_runs(folder / "mlflow"),
            *experiments(folder / "dvc"),
        ]


def timed(folder: Path, *words: str) -> tuple[float, float, str]:
    """Seconds, peak memory in MiB and output of `python -m WORDS` in a folder."""
    done: list[subprocess.CompletedProcess[str]] = []
    command = [sys.executable, "-c", PEAK, *words]
    environment = environ(folder) | {"PYTHONPATH": str(ROOT)}
    taken = seconds(
        lambda: done.append(subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False))
    )
    if done[0].returncode:
        raise RuntimeError(f"{' '.join(words)}: {done[0].stderr[-2000:]}")
    told = done[0].stderr.splitlines()
    peak = next(int(line.split()[1]) for line in told if line.startswith("VmHWM"))
    return taken, peak / 1024, done[0].stdout


def verdicts(folder: Path, size: int) -> Alone:
    """`k15 verify` on answers of the mathematical verifier: fractions, powers and lists, every third one wrong."""
    path = folder / f"responses-{size}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for place in range(size):
            gold, other = rf"\frac{{{place + 1}}}{{{place % 7 + 2}}}", place + 1 + (place % 3 == 0)
            response = rf"So it is \boxed{{{other}/{place % 7 + 2}}}."
            file.write(json.dumps({"verifier": "math", "gold": gold, "response": response}) + "\n")
    taken, peak, out = timed(folder, "flows.k15", "verify", str(path))
    told = json.loads(out.splitlines()[-1])
    assert (told["rows"], told["wrong"]) == (size, -(-size // 3)), told
    notes = {"seconds": round(taken, 1), "peak_memory_mib": round(peak), "told": told}
    return Alone(f"k15 verify ({size:,} responses)", "responses/s", [size / taken], {"responses": size, "workers": 2}, notes)


def report(root: Path, size: int) -> Alone:
    """The stage `report` from `size` generations of the run's checkpoints together."""
    copied(root)
    for name in ("artifacts/generations", "artifacts/timings", "artifacts/problems", "artifacts/data_docs"):
        shutil.copytree(ROOT / name, root / name)
    files = sorted((root / "artifacts/generations").glob("*.jsonl"))
    written = 0
    for path in files:
        rows = path.read_text(encoding="utf-8").splitlines()
        path.unlink()
        with path.open("w", encoding="utf-8") as file:
            file.writelines(again(rows, size // len(files)))
        written += path.stat().st_size
    taken, peak, _ = timed(root, *stage_command("report"))
    notes = {"seconds": round(taken, 1), "peak_memory_mib": round(peak)}
    sizes = {"generations": size, "checkpoints": len(files), "mib": round(written / 2**20)}
    return Alone(f"report ({size:,} generations)", "generations/s", [size / taken], sizes, notes)


def again(rows: list[str], count: int) -> Iterator[str]:
    """`count` rows: the given ones over and over, each time with other ids."""
    parsed = [json.loads(row) for row in rows]
    for place in range(count):
        row = parsed[place % len(parsed)]
        yield json.dumps(row | {"id": f"{row['id']}-{place // len(parsed)}"} if place >= len(parsed) else row) + "\n"


def stage_command(name: str) -> list[str]:
    """The module and arguments of a stage, as dvc.yaml has them."""
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    words: list[str] = graph["stages"][name]["cmd"].split(" -- ")[1].split()
    return words


def pipeline_runs(root: Path) -> Iterator[Alone]:
    """One more stage, with its own run of the pipeline, in a store that holds so many; each of them has a stage, 40 values and
    50 metrics."""
    toy = build(root)
    (toy.root / "nothing.py").write_text("", encoding="utf-8")
    graph = "stages: {sleep: {cmd: python -m flows.stage sleep -- nothing}}\n"
    (toy.root / "dvc.yaml").write_text(graph, encoding="utf-8")
    held = 0
    for size in RUNS:
        fill(toy, held, size)
        taken = [beside(toy, f"new-{size}-{turn}") for turn in range(3)]
        held = size + len(taken)
        yield Alone(f"stage beside {size:,} runs in MLflow", "s", taken, {"pipelines": size, "stages": size, "metrics each": 50})


def beside(toy: Toy, pipeline: str) -> float:
    """Seconds of a stage that does nothing, in a pipeline of its own."""
    return seconds(lambda: call(toy, *WRAPPED, "nothing", K15_PIPELINE_ID=pipeline))


def fill(toy: Toy, held: int, size: int) -> None:
    """Runs of pipelines number `held` to `size`, by the project's own door to MLflow."""
    code = f"""
from pathlib import Path
from flows.tracking import Store
for number in range({held}, {size}):
    store = Store.connect(Path("."), f"old-{{number}}")
    child = store.child("rl@long", {{}})
    store.params(store.parent, {{f"value_{{place}}": place for place in range(40)}})
    store.metrics(child, [{{"step": step, "time": 1e9 + step, "reward": step / 50}} for step in range(50)])
    store.client.set_terminated(child, "FINISHED")
    store.client.set_terminated(store.parent, "FINISHED")
"""
    call(toy, "-c", code)


def experiments(root: Path) -> Iterator[Alone]:
    """`dvc exp show` and `dvc repro` without work in this project with so many experiments, each with other numbers."""
    toy = Toy(root, environ(root.parent))
    copied(root)
    git = ["git", "-C", str(root)]
    subprocess.run([*git, "init", "--quiet"], env=toy.environ, check=True)
    (root / "dvc.yaml").write_text("stages: {report: {cmd: 'true', metrics: [metrics.json: {cache: false}]}}\n", encoding="utf-8")
    (root / "study/dvc.yaml").unlink(missing_ok=True)
    (root / "metrics.json").write_text('{"accuracy": 0}\n', encoding="utf-8")
    call(toy, "-m", "dvc", "commit", "--quiet", "--force", "dvc.yaml")
    subprocess.run([*git, "add", "."], env=toy.environ, check=True, capture_output=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "all of it"], env=toy.environ, check=True)
    held = 0
    for size in EXPERIMENTS:
        call(toy, "-c", SAVE.format(held=held, size=size))
        held = size
        shown: list[Any] = []
        taken = seconds(lambda: shown.append(toy.call("-m", "dvc", "exp", "show", "--json")))  # noqa: B023 - called at once
        known = json.loads(shown[0].stdout)
        assert sum(len(row["experiments"] or ()) for row in known) == size, shown[0].stderr
        yield Alone(f"dvc exp show ({size} experiments)", "s", [taken], {"experiments": size})


SAVE = """
import json
from dvc.repo import Repo
with Repo(".") as repo:
    for number in range({held}, {size}):
        with open("metrics.json", "w") as file:
            json.dump({{"accuracy": number + 1}}, file)
        repo.commit("report", force=True)
        repo.experiments.save(name=f"trial-{{number}}", force=True)
"""
