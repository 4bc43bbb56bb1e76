"""`dvc plots` and `dvc metrics diff` between two commits of a real repository: our templates, drawn; our few numbers."""

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import vl_convert
import yaml
from toy_repository import PROJECT, Toy, build

DECLARED = yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))
PLOTS = {name: body for entry in DECLARED["plots"] for name, body in entry.items()}
FIRST, SECOND = {"tokens": [50, 60, 70], "accuracy": [0.5, 0.6, 0.7]}, {"tokens": [50, 60, 70], "accuracy": [0.5, 0.7, 0.9]}
"""Validation points of RL in two commits: one point of accuracy a token, then two."""


def results(root: Path, points: dict[str, list[float]], long_rl: float) -> None:
    """Curves with a validation in every third iteration only, two checkpoints, their metrics."""
    for name in ("long_rl", "short_rl"):
        path = root / f"results/training/{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["iteration", "reward", "validation_accuracy", "validation_mean_tokens"])
            for iteration in range(7):
                at = iteration // 3
                shown = [points["accuracy"][at], points["tokens"][at]] if iteration % 3 == 0 else ["", ""]
                table.writerow([iteration, 0.5, *shown])
    report = root / "results/report"
    report.mkdir(parents=True, exist_ok=True)
    with (report / "stand_in.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "checkpoint", "accuracy", "ci95_low", "ci95_high", "mean_tokens"])
        for row in ("overall (stand-in)", "chart (stand-in)"):
            table.writerow([row, "long RL", long_rl, long_rl - 3, long_rl + 3, 76.9])
            table.writerow([row, "merged", 57.3, 53.5, 61.3, 38.8])
    numbers = {"long_rl": {"accuracy": long_rl, "tokens": 76.9}, "merged": {"accuracy": 57.3, "tokens": 38.8}}
    (report / "metrics.json").write_text(json.dumps(numbers))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The project's plots and metrics over two commits of results; the second is checked out."""
    toy = build(tmp_path_factory.mktemp("compared"))
    shutil.copytree(PROJECT / ".dvc/plots", toy.root / ".dvc/plots")
    graph = yaml.safe_load((toy.root / "dvc.yaml").read_text())
    graph |= {key: DECLARED[key] for key in ("plots", "metrics")}
    (toy.root / "dvc.yaml").write_text(yaml.safe_dump(graph))
    for points, long_rl in ((FIRST, 70.0), (SECOND, 81.1)):
        results(toy.root, points, long_rl)
        for words in (["add", "."], ["commit", "--quiet", "--message", "results"]):
            subprocess.run(["git", *words], cwd=toy.root, env=toy.environ, check=True)
    return toy


@pytest.fixture(scope="module")
def drawn(compared: Toy) -> dict[str, dict[str, Any]]:
    """Vega-Lite specifications of `dvc plots diff HEAD~1 HEAD`, filled in, by the plot's name."""
    done = compared.call("-m", "dvc", "plots", "diff", "HEAD~1", "HEAD", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    ours = [error for error in told.get("errors", []) if error["name"] in PLOTS]
    assert ours == []
    return {name: told["data"][name][0]["content"] for name in PLOTS}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_drawn_with_both_revisions(drawn: dict[str, dict[str, Any]], name: str) -> None:
    """Vega-Lite itself compiles and draws it: its legend names both, its title is the declared one, no anchor is left over."""
    assert "<DVC_METRIC" not in json.dumps(drawn[name])
    picture = vl_convert.vegalite_to_svg(drawn[name])
    assert PLOTS[name]["title"] in picture
    assert all(f">{revision}<" in picture for revision in ("HEAD", "HEAD~1"))
    assert "NaN" not in picture


def test_blank_rows_are_no_points(drawn: dict[str, dict[str, Any]]) -> None:
    """Seven iterations, three with a validation, two phases, two revisions: twelve points, where zeros would make 28."""
    picture = vl_convert.vegalite_to_svg(drawn["accuracy over RL iterations"])
    assert picture.count('aria-roledescription="point"') == 12


def test_the_slopes_are_those_of_the_points(drawn: dict[str, dict[str, Any]]) -> None:
    """0.5 to 0.7 over 20 tokens, and 0.5 to 0.9."""
    picture = vl_convert.vegalite_to_svg(drawn["accuracy against tokens in RL"])
    assert "slope +0.010<" in picture
    assert "slope +0.020<" in picture


def test_only_the_pooled_suite_is_drawn_of_the_checkpoints(drawn: dict[str, dict[str, Any]]) -> None:
    picture = vl_convert.vegalite_to_svg(drawn["accuracy against tokens of the checkpoints"])
    assert (picture.count(">long RL<"), picture.count(">merged<")) == (2, 2)


def test_plots_show_writes_a_page(compared: Toy, tmp_path: Path) -> None:
    done = compared.call("-m", "dvc", "plots", "show", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert all(body["title"] in page for body in PLOTS.values())


def test_metrics_diff_is_the_few_lines_that_changed(compared: Toy) -> None:
    done = compared.call("-m", "dvc", "metrics", "diff", "HEAD~1", "HEAD")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1:] == [["results/report/metrics.json", "long_rl.accuracy", "70.0", "81.1", "11.1"]]
