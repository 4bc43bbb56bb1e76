"""An interrupted stage is resumed by the next `dvc repro`, and starts afresh where it is forced."""

import pytest
from toy_repository import Toy

from flows.afresh import FRESH, dvc_options


@pytest.mark.parametrize(
    "words, options",
    [
        (["/venv/bin/python", "/venv/bin/dvc", "repro", "--force", "rl@long"], ["--force", "rl@long"]),
        (["python", "-m", "dvc", "repro", "--quiet", "-sf", "rl@long"], ["--quiet", "-sf", "rl@long"]),
        (["dvc", "exp", "run", "-f"], ["-f"]),
        (["dvc", "-v", "repro"], []),
        (["dvc", "push", "-f"], None),
        (["python", "-m", "flows.stage", "rl@long", "--", "stages.rl", "--out", "/home/dvc", "-f"], None),
        (["sh", "-c", "dvc repro -f"], None),
    ],
)
def test_the_command_lines_of_dvc(words: list[str], options: list[str] | None) -> None:
    assert dvc_options(words) == options


GRAPH = """stages:
  resumes:
    foreach: [it]
    do:
      cmd: python -m flows.stage resumes@${item} -- toys.resumes
      outs: [artifacts/resumed.txt]
"""


def test_dvc_repro_resumes_and_force_starts_afresh(toy: Toy) -> None:
    """The toy fails whenever it finds no state, and leaves some."""
    (toy.root / "dvc.yaml").write_text(GRAPH)

    def repro(*words: str, **environ: str) -> str:
        return toy.call("-m", "dvc", "repro", "resumes@it", *words, **environ).stdout

    assert "afresh" in repro()
    assert "afresh" in repro("--force")
    assert "resumed" in repro()
    assert (toy.root / "artifacts/resumed.txt").exists()
    assert "resumed" in repro("--force", **{FRESH: "0"}), "a retry of a forced run"


def test_a_forced_pipeline_starts_afresh_too(toy: Toy, server: str) -> None:
    (toy.root / "dvc.yaml").write_text(GRAPH)
    for word, said in (("resumes", "afresh"), ("--force", "afresh"), ("resumes", "resumed")):
        done = toy.call("-m", "flows.pipeline", word, PREFECT_API_URL=server)
        assert said in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
