"""The package as others install it: a wheel with its data, which scores benchmarks far from this checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from imports import PROJECT
from test_all_benchmarks import BENCH, everything
from tiny import Tiny

from stages.benchmarks.registry import BENCHMARKS

__all__ = ["everything"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the tracked files, so that nothing that lies about is packed."""
    root = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = [*listed, "--", "stages", "flows", "pyproject.toml", "README.md", "LICENSE"]
    found = subprocess.run(names, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, found.split("\0")):
        if (PROJECT / name).is_file():
            (root / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "source" / name).write_bytes((PROJECT / name).read_bytes())
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", root]
    subprocess.run([*words, root / "source"], check=True, cwd=root)
    (built,) = root.glob("*.whl")
    return built


def test_every_file_of_the_packages_is_in_it(wheel: Path) -> None:
    source = wheel.parent / "source"
    wanted = {
        str(path.relative_to(source)) for package in ("stages", "flows") for path in (source / package).rglob("*") if path.is_file()
    }
    assert {"stages/reporting/published.json", "flows/presets/smollm2.yaml"} <= wanted
    assert wanted <= {*zipfile.ZipFile(wheel).namelist()}
    assert {"stages/py.typed", "flows/py.typed"} <= wanted


@pytest.mark.slow
@pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
def test_it_scores_a_row_of_each_benchmark(wheel: Path, everything: Path, tiny: Tiny, tmp_path: Path) -> None:
    """Installed into a folder that comes before this checkout; the libraries are this environment's."""
    there = tmp_path / "site"
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", there]
    subprocess.run([*words, wheel], check=True, cwd=tmp_path)
    environ = {**os.environ, "PYTHONPATH": str(there)}
    where = [sys.executable, "-c", "import stages, flows; print(stages.__file__, flows.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert found.stdout.count(str(there)) == 2, found.stdout
    words = [sys.executable, "-m", "flows.k15", "generate", "all", "--data", everything]
    words += ["--out", tmp_path / "out", "--model", tiny.folder, "--limit", "1", "--samples", "1"]
    words += ["--context", "4096", "--max-tokens", "4"]
    done = subprocess.run([*map(str, words)], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    cells = json.loads((tmp_path / "out/scores.json").read_text())["benchmarks"]
    assert set(cells) == set(BENCHMARKS)
    missing = {name: cell["missing"] for name, cell in cells.items() if "missing" in cell}
    assert not missing or all("compiler" in reason or "tool" in reason for reason in missing.values())
