"""The study as a flow: its own graph runs as one task, all of it or some stages; a failure is the flow's."""

import pytest
from toy_repository import Toy

GRAPH = """
stages:
  one: {wdir: .., cmd: echo one >> ran.txt}
  two: {wdir: .., cmd: echo two >> ran.txt}
  broken: {wdir: .., cmd: exit 3}
"""


@pytest.fixture
def studied(toy: Toy, server: str) -> Toy:
    (toy.root / "study").mkdir()
    (toy.root / "study/dvc.yaml").write_text(GRAPH)
    toy.environ["PREFECT_API_URL"] = server
    return toy


@pytest.mark.slow
def test_stages_of_the_study_run_and_a_failure_is_told(studied: Toy) -> None:
    done = studied.call("-c", "from flows.study import study; study(['one', 'two'])")
    assert done.returncode == 0, done.stderr
    assert sorted(studied.ran()) == ["one", "two"]
    failed = studied.call("-c", "from flows.study import study; study()")
    assert failed.returncode == 1
    assert "stage study failed" in failed.stderr
