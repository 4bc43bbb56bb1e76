"""Nothing phones home without the user doing anything; each tool is asked, not our own table."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy_repository import PROJECT, Toy

from flows import environment

ASK = """
import json
from pathlib import Path
from flows import environment
environment.prepare(Path.cwd())
import mlflow.environment_variables, mlflow.telemetry.utils, os, prefect.settings
settings = prefect.settings.get_current_settings()
print(json.dumps({
    "prefect": settings.server.analytics_enabled,
    "home": str(settings.home),
    "mlflow": mlflow.telemetry.utils.is_telemetry_disabled(),
}))
"""


def test_prefect_and_mlflow_see_their_switches(toy: Toy) -> None:
    done = toy.call("-c", ASK, DO_NOT_TRACK="")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"prefect": False, "home": str(toy.root / "artifacts/prefect"), "mlflow": True}


def test_prefect_started_by_hand_in_the_project_is_silent_too(toy: Toy) -> None:
    """`pyproject.toml` alone, read by Prefect from the current folder."""
    program = "import prefect.settings as s; print(s.get_current_settings().server.analytics_enabled)"
    (toy.root / "pyproject.toml").write_text((PROJECT / "pyproject.toml").read_text())
    assert toy.call("-c", program).stdout.strip() == "False"


@pytest.mark.parametrize("option", ["core.analytics", "core.check_update"])
def test_dvc_reads_its_committed_switches(toy: Toy, option: str) -> None:
    assert toy.call("-m", "dvc", "config", option).stdout.strip() == "false"


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*environment.QUIET, "PREFECT_HOME", "NO_PROXY", "no_proxy", "PATH"):
        monkeypatch.setenv(name, "mine")
    environment.prepare(tmp_path)
    assert {os.environ[name] for name in (*environment.QUIET, "PREFECT_HOME")} == {"mine"}
    assert os.environ["NO_PROXY"] == "mine,127.0.0.1,localhost"
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}:mine"
    environment.prepare(tmp_path)
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}:mine", "a second call adds nothing"


@pytest.mark.parametrize("program", ["flows.server up", "flows.ui", "flows.pipeline", "flows.k15 doctor"])
def test_a_folder_that_no_database_can_lie_in_is_one_clear_line(program: str, tmp_path: Path) -> None:
    """MLflow's and Prefect's databases would lie in the part before the question mark, outside the checkout."""
    root = tmp_path / "a?b" / "checkout"
    root.mkdir(parents=True)
    words = [sys.executable, "-m", *program.split()]
    done = subprocess.run(
        words, cwd=root, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"error: {root}: databases cannot lie in a folder with '?' in its path; rename the folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a?b"]
