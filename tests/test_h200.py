"""The figures in results/h200/README.md are those of the raw files beside it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_line_that_the_script_makes_stands_in_the_page() -> None:
    made = subprocess.run([sys.executable, ROOT / "docs/h200.py"], capture_output=True, text=True, check=True).stdout.splitlines()
    page = (ROOT / "results/h200/README.md").read_text(encoding="utf-8").splitlines()
    assert len(made) > 15
    assert [line for line in made if line not in page] == []
