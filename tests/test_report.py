"""The report stage as a whole, on a made-up run."""

import csv
import itertools
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from reporting.synthetic_run import ACCURACY, FAMILIES, NASTY, arguments, benchmark, column, write_json, write_run

from stages.data.display import visible

PROJECT = Path(__file__).parents[1]
TABLES = ("table2", "table2_claims", "table3", "table3_claims", "stand_in", "efficiency", "paired", "partial")


def report(root: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m stages.report` in `root`."""
    return subprocess.run(
        [sys.executable, "-m", "stages.report", *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    write_run(root)
    done = report(root, *arguments(root), PYTHONHASHSEED="1", PYTHONWARNINGS="error")
    assert (done.returncode, done.stderr) == (0, "")
    return root


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "results/report/index.html").read_text(encoding="utf-8")


def test_every_output_is_there(root: Path) -> None:
    tables = [f"{name}.{kind}" for name in TABLES for kind in ("md", "csv")]
    figures = [
        "figure5",
        "figure6",
        "figure7",
        "figure7_suites",
        "health",
        "sampled",
        "staleness",
        "domains",
        "losses",
        "funnel",
        "mix",
    ]
    expected = {
        *tables,
        *(f"{name}.{kind}" for name in figures for kind in ("svg", "png")),
        "summary.json",
        "metrics.json",
        "protocol.md",
        "index.html",
    }
    assert {path.name for path in (root / "results/report").iterdir()} == expected


def test_summary_has_the_promised_shape(root: Path) -> None:
    summary = json.loads((root / "results/report/summary.json").read_text(encoding="utf-8"))
    assert set(summary) == {"checkpoints", "rl", "seconds", "checks", "handed_on"}
    assert set(summary["checkpoints"]) == set(ACCURACY)
    for suites in summary["checkpoints"].values():
        assert {"overall", "text", "image", *FAMILIES} <= set(suites)
        for score in suites.values():
            assert set(score) == {"accuracy", "ci95", "mean_tokens", "n", "k", "stand_in"}
        assert suites["math500"]["stand_in"] is False
        assert suites["chart"]["stand_in"] is True
        assert "mathvision" not in suites  # run on a part of its items
        assert "aime2024" not in suites
    assert [point["iteration"] for point in summary["rl"]] == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 49]
    assert all(set(point) == {"iteration", "accuracy", "mean_tokens", "p95_tokens"} for point in summary["rl"])
    assert summary["seconds"] == {"base": 70.25, "evaluate@base": 9.0, "rl@long": 301.5}
    assert summary["checks"]["rl_gain"]["points"] == pytest.approx(21.0)
    assert summary["checkpoints"]["long_rl"]["overall"]["accuracy"] == 0.63


def test_metrics_are_one_short_line_a_checkpoint(root: Path) -> None:
    """What `dvc metrics diff` shows: percent, whole benchmarks only, no suite of a single family."""
    metrics = json.loads((root / "results/report/metrics.json").read_text(encoding="utf-8"))
    assert set(metrics) == {*ACCURACY, "checks_held"}
    assert set(metrics["long_rl"]) == {"accuracy", "tokens", "text", "image", "math500"}
    assert metrics["long_rl"]["accuracy"] == 63.0
    summary = json.loads((root / "results/report/summary.json").read_text(encoding="utf-8"))
    assert metrics["checks_held"] == sum(check["holds"] is True for check in summary["checks"].values())
    assert metrics["long_rl"]["tokens"] == round(summary["checkpoints"]["long_rl"]["overall"]["mean_tokens"], 1)


def test_a_second_process_writes_the_same_bytes(root: Path) -> None:
    done = report(root, *arguments(root, "results/again"), PYTHONHASHSEED="2")
    assert done.returncode == 0
    for path in sorted((root / "results/report").iterdir()):
        assert (root / "results/again" / path.name).read_bytes() == path.read_bytes(), path.name


class Outline(HTMLParser):
    """What a test wants to know of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    outline = Outline()
    outline.feed(page)
    return outline


def test_the_page_needs_nothing_from_elsewhere(page: str, outline: Outline) -> None:
    assert not outline.all("script")
    assert not outline.all("link")
    assert not re.search(r"https?:|//[a-z]|@import|srcset", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    for image in outline.all("img"):
        assert (image["src"] or "").startswith("data:image/")
    for link in outline.all("a"):
        target = link["href"] or ""
        if target.startswith("../../artifacts/data_docs/"):
            continue  # beside the report, made by curate and warm_up
        assert target.startswith("#")
        assert f'id="{target[1:]}"' in page


def test_the_page_escapes_what_models_and_data_wrote(page: str) -> None:
    assert NASTY not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &lt;b&gt;bold&lt;/b&gt;" in page


def test_the_page_can_be_used_without_seeing_it(outline: Outline) -> None:
    assert outline.all("html")[0]["lang"] == "en"
    assert all(image["alt"] for image in outline.all("img"))
    assert len(outline.all("svg")) == 7 + 7 + 3 + 8 + 12 + 2 + 2 + 6 + 8 + 3 + 5
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in outline.all("svg"))
    assert len(outline.all("caption")) == len(outline.all("table")) > 6
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_page_adapts_to_phone_and_theme(page: str, outline: Outline) -> None:
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in outline.all("meta")
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize("name", ["sc\x1b[31mene\x1b]0;x\x07", "$x^{$", "=1+1"])
def test_a_family_may_be_called_anything(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a name is refused where rows are read; files of earlier versions may hold one."""
    monkeypatch.setitem(FAMILIES, name, "image")
    write_run(tmp_path)
    done = report(tmp_path, *arguments(tmp_path), PYTHONWARNINGS="ignore")
    assert (done.returncode, done.stderr) == (0, "")
    files = [path for path in (tmp_path / "results/report").rglob("*") if path.suffix in (".html", ".md", ".csv", ".svg")]
    assert len(files) > 20
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert visible(text) == text, path
    rows = [row for path in files if path.suffix == ".csv" for row in csv.reader(path.read_text(encoding="utf-8").splitlines())]
    assert not any(cell.startswith("=") for row in rows for cell in row)


def test_missing_evaluation_is_one_clear_line_and_keeps_the_last_report(root: Path, page: str) -> None:
    path = root / "results/evaluations/merged.json"
    kept = path.read_text(encoding="utf-8")
    path.unlink()
    done = report(root, *arguments(root))
    path.write_text(kept, encoding="utf-8")
    assert done.returncode == 2
    assert done.stderr.strip() == f"error: {path}: no such file; run `dvc repro evaluate@merged`"
    assert (root / "results/report/index.html").read_text(encoding="utf-8") == page


def test_columns_of_other_models_reach_tables_page_and_protocol(tmp_path: Path) -> None:
    words = write_run(tmp_path)
    found = column(f"Other 7B {NASTY}", 2, math500=benchmark(0.95, 500, "MATH-500", k=4))
    write_json(tmp_path / "stages/reporting/columns/other.json", found)
    done = report(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    out = tmp_path / "results/report"
    (row,) = [line for line in (out / "table2.md").read_text(encoding="utf-8").splitlines() if line.startswith("| MATH-500")]
    assert row.endswith("| 95.0 [94.0, 96.0], 120 tokens, n=500, k=4, inside: OpenAI o1 |")
    assert "Other 7B" in (out / "protocol.md").read_text(encoding="utf-8")
    assert "Other 7B" not in (out / "summary.json").read_text(encoding="utf-8")
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "Other 7B &lt;script&gt;" in page
    assert NASTY not in page


def test_a_column_at_fault_is_one_clear_line(tmp_path: Path) -> None:
    words = write_run(tmp_path)
    write_json(tmp_path / "stages/reporting/columns/other.json", column("Other 7B", 4))
    done = report(tmp_path, *words)
    assert done.returncode == 2
    where = "stages/reporting/columns/other.json: table"
    assert done.stderr == f"error: {where}: Input should be 2 or 3; correct the file, or take it out of the folder\n"
    assert not (tmp_path / "results/report").exists()


def test_a_run_without_validation_points_or_timings_still_reports(tmp_path: Path) -> None:
    words = write_run(tmp_path)
    for name in ("long_rl", "short_rl"):
        (tmp_path / f"results/training/{name}.csv").write_text("iteration,reward\n0,0.5\n1,0.6\n", encoding="utf-8")
    for path in (tmp_path / "artifacts/timings").iterdir():
        path.unlink()
    done = report(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    summary: dict[str, Any] = json.loads((tmp_path / "results/report/summary.json").read_text(encoding="utf-8"))
    assert (summary["rl"], summary["seconds"]) == ([], {})
    assert summary["checks"]["length_grows_with_accuracy"]["holds"] is None
    page = (tmp_path / "results/report/index.html").read_text(encoding="utf-8")
    assert "No figure5: the curves hold no measured point for it." in page
    assert "No staleness" not in page, "figures of columns that not every run has are left out"


def test_a_run_of_some_phases_and_some_checkpoints(tmp_path: Path) -> None:
    """Files of other checkpoints lie about: they are of another run, and nothing of them is shown."""
    words = write_run(tmp_path)
    passed = {"short_sft": "sft.short is null", "long_sft": "sft.short and sft.long are null"}
    passed_through = {name: {"same_as": "base", "because": because} for name, because in passed.items()}
    write_json(tmp_path / "results/phases/checkpoints.json", {"passed_through": passed_through})
    text = (tmp_path / "params.yaml").read_text(encoding="utf-8")
    listed = re.sub(r"  checkpoints: \[.*?\]", "  checkpoints: [base, short_sft, long_rl, dpo]", text)
    (tmp_path / "params.yaml").write_text(listed, encoding="utf-8")
    for name in ("short_sft", "long_sft"):
        (tmp_path / f"results/training/{name}.csv").write_text("step,loss\n")
    write_json(tmp_path / "artifacts/timings/evaluate@merged.json", {"stage": "evaluate@merged", "seconds": 4.0})
    (tmp_path / "results/evaluations/merged.json").write_text("half a fi")
    done = report(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    out = tmp_path / "results/report"
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert list(summary["checkpoints"]) == ["base", "dpo", "long_rl"]
    assert summary["handed_on"] == passed_through
    assert set(summary["seconds"]) == {"base", "evaluate@base", "rl@long"}
    paired = (out / "paired.md").read_text(encoding="utf-8")
    assert "long RL minus base" in paired
    assert "DPO minus long RL" in paired
    assert "merged" not in paired
    text = (out / "stand_in.md").read_text(encoding="utf-8")
    assert "short SFT: as base (sft.short is null)." in text
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "long SFT: as base (sft.short and sft.long are null)" in page
    assert not re.search(r"merged \+ RS|shortest RS", (out / "stand_in.csv").read_text(encoding="utf-8"))
    assert "short SFT: loss" not in page, "a curve without a point is no panel"
