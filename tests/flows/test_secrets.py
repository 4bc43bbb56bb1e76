"""A key in the environment, a password in an address and the checkout's own key go nowhere: not into logs, Prefect's database,
MLflow's, spools, timings or results."""

from pathlib import Path

import pytest
from toy_repository import Toy

from flows import keys

KEYS = {
    "OPENAI_API_KEY": "planted-1-f3a9",
    "HF_TOKEN": "planted-2-f3a9",
    "MLFLOW_TRACKING_PASSWORD": "planted-3-f3a9",
    "AWS_SECRET_ACCESS_KEY": "planted-4-f3a9",
}
PASSWORD = "planted-5-f3a9"


def holding(folder: Path, word: bytes) -> list[str]:
    """The files below `folder` that hold `word`."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path.relative_to(folder)) for path in files if word in path.read_bytes()]


@pytest.mark.slow
def test_planted_keys_are_found_nowhere(toy: Toy, server: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A whole run of the pipeline, one failed stage and a kept run, on a real Prefect server and a real MLflow store."""
    told = []
    program = "import os, sys; print('from', os.environ['ADDRESS']); sys.exit(f'error: {os.environ[\"ADDRESS\"]}')"
    (toy.root / "told.py").write_text(program)
    for words, more in (
        (("-m", "flows.pipeline"), {}),
        (("-m", "flows.pipeline", "-S", "merge.weight=1.0"), {}),
        (("-m", "flows.stage", "make", "--", "toys.make"), {"MLFLOW_TRACKING_URI": f"http://me:{PASSWORD}@127.0.0.1:9"}),
        (("-m", "flows.stage", "told", "--", "told"), {"ADDRESS": f"s3://me:{PASSWORD}@host/x"}),
        (("-m", "flows.k15", "replay"), {"MLFLOW_TRACKING_URI": f"http://me:{PASSWORD}@127.0.0.1:9"}),
        (("-m", "flows.pipeline", "-S", f"judge.endpoint=http://me:{PASSWORD}@127.0.0.1:9"), {}),
        (("-m", "flows.k15", "plan"), {}),
        (("-m", "flows.k15", "doctor"), {}),
    ):
        done = toy.call(*words, K15_TRACKING="on", PREFECT_API_URL=server, **KEYS, **more)
        told.append(done.stdout + done.stderr)
    assert (toy.root / "artifacts/mlflow/mlflow.db").is_file()
    assert any((toy.root / "artifacts/replay").iterdir())
    houses = [toy.root, *(path for path in tmp_path_factory.getbasetemp().glob("server*") if path.is_dir())]
    assert any((house / "artifacts/prefect/prefect.db").is_file() for house in houses), "Prefect's database is not searched"
    own = [(house / keys.PLACE).read_text() for house in houses if (house / keys.PLACE).exists()]
    assert own, "no server has a key"
    for value in [*KEYS.values(), PASSWORD]:
        assert [where for house in houses for where in holding(house, value.encode())] == []
        assert not any(value in text for text in told)
    for value in own:
        held = {where for house in houses for where in holding(house, value.encode())}
        assert held == {str(keys.PLACE)}
        assert not any(value in text for text in told)
    assert "error: s3://host/x" in told[3]
    (toy.root / "leak.txt").write_text("planted-1-f3a9")
    assert holding(toy.root, b"planted-1-f3a9") == ["leak.txt"], "this search finds nothing at all"
