"""`k15 plan` on a real DVC repository: what would run and why, and nothing is touched."""

import resource
import shutil
import subprocess
import sys

import pytest
from toy_repository import Toy

from flows import graph, outlook
from flows.plan import changed


def told(toy: Toy, *words: str, **extra: str) -> tuple[subprocess.CompletedProcess[str], dict[str, list[str]]]:
    """The call, and of each stage's line what would be done and why."""
    done = toy.call("-m", "flows.k15", "plan", *words, **extra)
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return done, {row[0]: row[1:] for row in rows if row and row[0] in ("make", "use")}


def test_before_the_first_run_all_run_and_the_call_is_quick(toy: Toy) -> None:
    """Five seconds of processor time, whatever else the machine does meanwhile."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done, stages = told(toy)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
    assert stages == {"make": ["runs", "it has not run here yet"], "use": ["runs", "it has not run here yet"]}
    assert "1,200 problems" not in done.stdout, "sizes of stages that the graph does not have"
    assert done.returncode == 1, "the toy has no folder stages/problems/examples"
    assert "cannot work: collect.root: no folder stages/problems/examples" in done.stdout


def test_what_would_run_and_why(toy: Toy) -> None:
    """Asked of the graph directly, without a process for each question. A stage also reads a section that leaves out fields."""
    graph_file = toy.root / "dvc.yaml"
    graph_file.write_text(graph_file.read_text().replace("params: [seed]", "params: [seed, collect]"))
    assert toy.call("-m", "dvc", "repro", "--quiet").returncode == 0
    toy.ran()
    nodes = graph.nodes(toy.root)
    before = (toy.root / "params.yaml").read_bytes()

    def changed_by(**values: object) -> dict[str, tuple[str, str]]:
        params = changed(toy.root, {key.replace("__", "."): value for key, value in values.items()})
        return {one.name: (one.does, one.reason) for one in outlook.outlook(toy.root, nodes, params)}

    assert {does for does, _ in changed_by().values()} == {"cached"}
    assert changed_by(merge__weight=0.75) == {
        "make": ("cached", "nothing that it reads has changed"),
        "use": ("runs", "merge.weight: 0.5 -> 0.75"),
    }
    assert changed_by(seed=3) == {"make": ("runs", "seed: 0 -> 3"), "use": ("follows", "an input is made anew by make")}
    assert changed_by(seed=3, merge__weight=0.75)["use"] == ("runs", "merge.weight: 0.5 -> 0.75")

    toy.call("-m", "dvc", "exp", "run", "--quiet", "-S", "merge.weight=0.25")
    assert changed_by(merge__weight=0.5)["use"] == ("restored", "merge.weight: 0.25 -> 0.5")
    (toy.root / "results/used.json").write_text("{}")
    assert changed_by()["use"][1].startswith("output results/used.json: modified")
    (toy.root / "params.yaml").write_bytes(before)
    assert toy.ran() == ["use"], "planning ran a stage"


def restores(toy: Toy) -> tuple[str, bool]:
    """What the plan says of the stage use, and whether `dvc repro` then did without running it."""
    found = {one.name: one.does for one in outlook.outlook(toy.root, graph.nodes(toy.root), changed(toy.root, {}))}
    toy.ran()
    assert toy.call("-m", "dvc", "repro", "--quiet").returncode == 0
    return found["use"], "use" not in toy.ran()


def test_restored_is_said_only_of_what_dvc_restores(toy: Toy) -> None:
    """Fault: an entry of the run cache was taken for its outputs, and the mode of an input left out."""
    assert toy.call("-m", "dvc", "repro", "--quiet").returncode == 0
    params = toy.root / "params.yaml"
    first = params.read_text()
    assert toy.call("-m", "dvc", "exp", "run", "--quiet", "-S", "merge.weight=0.25").returncode == 0
    second = params.read_text()
    params.write_text(first)
    assert restores(toy) == ("restored", True)
    (toy.root / "artifacts/made.txt").chmod(0o755)
    params.write_text(second)
    assert restores(toy) in {("restored", True), ("runs", False)}
    params.write_text(first)
    assert restores(toy) in {("restored", True), ("runs", False)}
    shutil.rmtree(toy.root / ".dvc/cache/files")
    params.write_text(second)
    assert restores(toy)[0] == "runs"


@pytest.mark.parametrize(
    "words, message",
    [
        (["-S", "rl.long.tua=1"], "error: params.yaml: unknown parameter 'rl.long.tua'; did you mean 'tau'?"),
        (["nope"], "error: no stage 'nope' in dvc.yaml; there are: make, use"),
        (["--preset", "nope"], "error: no preset 'nope'; there are: "),
        (["--gpus", "many"], "error: --gpus many: expected COUNTxGIB"),
    ],
)
def test_a_mistake_is_one_line(toy: Toy, words: list[str], message: str) -> None:
    done, _ = told(toy, *words)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_neither_torch_nor_prefect_nor_mlflow_is_loaded(toy: Toy) -> None:
    code = "import sys\nfrom flows import k15\nsys.argv = ['k15', 'plan']\ntry:\n    k15.main()\nexcept SystemExit:\n    pass\n"
    code += "print('LOADED', sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'transformers', 'prefect', 'mlflow'}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=toy.root, env=toy.environ, capture_output=True, text=True, timeout=240)
    assert done.stdout.splitlines()[-1] == "LOADED []", done.stderr
