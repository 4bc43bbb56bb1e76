"""The last lines of a run."""

from pathlib import Path

from flows import summary
from flows.scores import Scores

SUITES = {"overall": {"accuracy": 0.625, "ci95": [0.5831, 0.6669], "mean_tokens": 61.25, "n": 512, "k": 1}}


def test_table_and_places(tmp_path: Path) -> None:
    assert summary.table(Scores()) == []
    assert not any(line.startswith("report") for line in summary.places(tmp_path, Scores()))
    report = tmp_path / "results/report"
    (report / "figures").mkdir(parents=True)
    (report / "index.html").touch()
    (report / "figures/figure5.svg").touch()
    made = Scores({"base": SUITES, "long_rl": {"chart": {}}}, report=True)
    lines = summary.table(made)
    assert lines[1] == "on held-out problems of the run's own sources, which stand in for benchmarks:"
    assert [line.split() for line in lines[2:] if line] == [
        ["checkpoint", "accuracy", "95%", "interval", "tokens", "n"],
        ["base", "0.625", "0.583", "to", "0.667", "61.2", "512"],
    ]
    assert summary.places(tmp_path, made)[:2] == ["report    results/report/index.html", "figures   results/report/figures/"]
    assert summary.places(tmp_path, Scores({"base": SUITES}))[0].startswith("report    none of this run")


def test_what_was_not_evaluated_is_said() -> None:
    assert summary.table(Scores({"base": SUITES}, missing=("dpo", "merged")))[-2] == "not evaluated in this run: dpo, merged"
    assert summary.table(Scores(missing=("base",))) == ["", "no evaluation belongs to this run, so it has no scores", ""]
