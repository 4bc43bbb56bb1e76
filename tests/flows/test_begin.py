"""A program under flows.begin sees what it would see under `python -m`."""

import json
import os
import subprocess
import sys
from pathlib import Path

from flows.environment import GARBAGE

PROJECT = Path(__file__).parents[2]
PROGRAM = """
import gc, json, multiprocessing, sys


def double(number):
    return 2 * number


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        doubled = pool.map(double, [3])
    print(json.dumps([doubled, sys.argv[1:], sys.argv[0].endswith("shown.py"), gc.get_threshold()]))
    sys.exit(5)
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{folder}"}
    return subprocess.run([sys.executable, "-m", *words], env=environ, cwd=folder, capture_output=True, text=True, check=False)


def test_arguments_exit_code_and_processes_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text(PROGRAM)
    plain, begun = run(tmp_path, "shown", "--a", "1"), run(tmp_path, "flows.begin", "shown", "--a", "1")
    assert (plain.returncode, begun.returncode) == (5, 5), begun.stderr
    shown, other = json.loads(begun.stdout), json.loads(plain.stdout)
    assert shown[:3] == other[:3] == [[6], ["--a", "1"], True]
    assert tuple(shown[3]) == GARBAGE


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    done = run(tmp_path, "flows.begin", "nowhere")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("No module named nowhere")
