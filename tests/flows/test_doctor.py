"""`k15 doctor` on this machine: what is lacking decides the exit code, and no key is shown."""

from pathlib import Path

import pytest
from toy_repository import Toy, environ

from flows import doctor


def test_this_machine_can_run_and_keys_are_named_only(toy: Toy) -> None:
    done = toy.call(
        "-m",
        "flows.k15",
        "doctor",
        OPENAI_API_KEY="sk-planted-key",
        K15_TRACKING="on",
        MLFLOW_TRACKING_URI="http://me:planted-key@host.invalid",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "planted-key" not in done.stdout + done.stderr
    assert "OPENAI_API_KEY is set" in done.stdout
    assert "runs go to http://host.invalid" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("nothing is lacking")
    assert "hard links" in done.stdout


def test_outside_a_project_and_without_its_server_it_says_what_is_lacking(tmp_path: Path) -> None:
    house = Toy(tmp_path, environ(tmp_path))
    done = house.call("-m", "flows.k15", "doctor", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 1
    lacking = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("lacks ")]
    assert {".git", ".dvc", "prefect"} <= set(lacking)
    assert done.stdout.splitlines()[-1] == f"{len(lacking)} things are lacking"


def test_a_missing_sandbox_and_tool_chain_are_notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "why_unavailable", lambda: "no bubblewrap")
    monkeypatch.setattr(doctor, "missing", lambda name: "PHP: php is not here" if name == "php" else None)
    lines = list(doctor._code(tmp_path))
    assert [(line.state, line.what) for line in lines] == [("note", "sandbox"), ("note", "tool chain")]
