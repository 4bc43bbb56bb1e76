"""The figures in results/h100/README.md and results/h200/README.md are those of the raw files beside them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["h100", "h200"])
def test_every_line_that_the_script_makes_stands_in_the_page(name: str) -> None:
    made = subprocess.run(
        [sys.executable, ROOT / f"docs/{name}.py"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    page = (ROOT / f"results/{name}/README.md").read_text(encoding="utf-8").splitlines()
    assert len(made) > 15
    assert [line for line in made if line not in page] == []
