"""The last lines of a run."""

import json
from pathlib import Path

from flows import summary


def test_table_and_places(tmp_path: Path) -> None:
    assert summary.table(tmp_path) == []
    assert not any(line.startswith("report") for line in summary.places(tmp_path))
    report = tmp_path / "results/report"
    (report / "figures").mkdir(parents=True)
    suites = {"overall": {"accuracy": 0.625, "ci95": [0.5831, 0.6669], "mean_tokens": 61.25, "n": 512, "k": 1}}
    checkpoints = {"base": suites, "long_rl": {"chart": {}}}
    (report / "summary.json").write_text(json.dumps({"checkpoints": checkpoints}))
    (report / "index.html").touch()
    (report / "figures/figure5.svg").touch()
    lines = summary.table(tmp_path)
    assert lines[1] == "on held-out problems of the run's own sources, which stand in for benchmarks:"
    assert [line.split() for line in lines[2:] if line] == [
        ["checkpoint", "accuracy", "95%", "interval", "tokens", "n"],
        ["base", "0.625", "0.583", "to", "0.667", "61.2", "512"],
    ]
    assert summary.places(tmp_path)[:2] == ["report    results/report/index.html", "figures   results/report/figures/"]


def test_checkpoints_stand_in_the_order_of_the_recipe(tmp_path: Path) -> None:
    suites = {"overall": {"accuracy": 0.5, "ci95": [0.4, 0.6], "mean_tokens": 9.0, "n": 9, "k": 1}}
    (tmp_path / "results/report").mkdir(parents=True)
    stored = {"checkpoints": dict.fromkeys(["aside", "base", "dpo", "long_rl"], suites)}
    (tmp_path / "results/report/summary.json").write_text(json.dumps(stored))
    assert [line.split()[0] for line in summary.table(tmp_path) if line][2:] == ["base", "long_rl", "dpo", "aside"]
