"""From files of a made-up study to verdicts, numbers by hand, and the page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from imports import PROJECT
from synthetic_study import write_study

from stages.data.files import DataError
from stages.study.findings import Finding, findings
from stages.study.runs import Runs, read_runs
from stages.study.settings import read_settings

VARIANTS = {"control": (0.1, 1.0), "large": (0.2, 0.2), "rest": (0.0, 0.0), "uniform": (0.1, 1.0), "length_penalty": (0.1, 0.2)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    write_study(root, VARIANTS)
    return root


@pytest.fixture(scope="module")
def runs(root: Path) -> Runs:
    return read_runs(root / "runs", read_settings(root / "settings.yaml"))


def found(runs: Runs) -> dict[str, Finding]:
    return {one.name: one for one in findings(runs)}


def test_effects_by_hand(runs: Runs) -> None:
    one = found(runs)
    # RL: +10, +15, +20 points over the three seeds
    rises = one["accuracy_rises"].effect
    assert rises is not None
    assert rises.by_seed == pytest.approx((10.0, 15.0, 20.0))
    assert (rises.mean, one["accuracy_rises"].verdict) == (pytest.approx(15.0), "held")
    # against ReST (0, 5, 10): ten points in each seed, on the same problems
    rest = one["negative_gradients"].effect
    assert rest is not None
    assert rest.by_seed == pytest.approx((10.0, 10.0, 10.0))
    assert one["negative_gradients"].verdict == "held"
    # tokens 40 -> 48, 60, 80: +8, +20, +40, mean 22.667
    longer = one["length_rises"].effect
    assert longer is not None
    assert longer.mean == pytest.approx(68 / 3)
    assert one["prioritised"].verdict == "undecided", "nothing differs"
    # the large model starts from its own SFT, 5 points above the trunk's
    caught_up = one["small_catches_up"].effect
    assert caught_up is not None
    assert caught_up.by_seed == pytest.approx((5.0, 10.0, 15.0))
    # the penalty: a fifth of the growth, 40 -> 41.6, 44, 48, rounded to 42, 44, 48
    shorter = one["length_penalty"].effect
    assert shorter is not None
    assert shorter.mean == pytest.approx((6 + 16 + 32) / 3)


def test_harder_suites_lengthen_more_by_permutation(runs: Runs) -> None:
    """Three suites in perfect order: one of six, p = 1/6, which decides nothing."""
    one = found(runs)["harder_lengthen_more"]
    assert one.rank is not None
    assert (one.rank.rho, one.rank.p_above, one.verdict) == (1.0, pytest.approx(1 / 6), "undecided")


def test_slopes_by_hand(runs: Runs) -> None:
    """Accuracy gains 10, 15, 20 points while tokens grow by 40: 0.25, 0.375, 0.5 a token; the large model's 20, 25, 30 by 8."""
    one = found(runs)
    slope = one["accuracy_follows_length"].effect
    assert slope is not None
    assert slope.by_seed == pytest.approx((0.25, 0.375, 0.5))
    assert one["accuracy_follows_length"].verdict == "held", "0.375 +- 4.303 * 0.125 / sqrt(3) = 0.311"
    large = one["large_is_token_efficient"].effect
    assert large is not None
    assert large.by_seed == pytest.approx((2.25, 2.75, 3.25))


def test_claims_of_variants_that_were_not_run_are_left_out(runs: Runs) -> None:
    assert "curriculum" not in found(runs)
    assert "large_ends_higher" in found(runs)


def test_a_missing_run_and_other_problems_are_named(tmp_path: Path) -> None:
    settings = read_settings(write_study(tmp_path, VARIANTS))
    lines = (tmp_path / "runs/1/rest/artifacts/generations/long_rl.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "runs/1/rest/artifacts/generations/long_rl.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(DataError, match=r"runs/1/rest/artifacts/generations: other problems than in .*trunk"):
        read_runs(tmp_path / "runs", settings)
    (tmp_path / "runs/1/rest/results/training/long_rl.csv").unlink()
    with pytest.raises(DataError, match=r"runs/1/rest/results/training/long_rl.csv: no such file"):
        read_runs(tmp_path / "runs", settings)


def test_the_page_has_every_verdict_and_needs_no_other_file(root: Path) -> None:
    words = ["--runs", "runs", "--settings", "settings.yaml", "--out", "results/study"]
    done = subprocess.run(
        [sys.executable, "-m", "stages.study.verdicts", *words],
        cwd=root,
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    out = root / "results/study"
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    text, page = ((out / name).read_text(encoding="utf-8") for name in ("study.md", "index.html"))
    for one in summary["findings"]:
        assert one["says"] in text
        assert one["says"] in page
        assert f"{one['verdict']}: {one['says']}" in done.stdout
    assert summary["scores"]["control"]["2"]["accuracy_after"] == pytest.approx((0.8 + 0.5 + 0.3) / 3 + 0.2)
    shown = re.findall(r"!\[[^]]*\]\((\w+)\.png\)", text)
    assert {"findings", "growth", "slopes", "sizes", "negative_gradients", "length_penalty"} == set(shown)
    assert all((out / f"{name}.{kind}").exists() for name in shown for kind in ("png", "svg"))
    assert not re.search(r"https?://|<script|<link|@import", page)
    assert page.count("<svg") >= len(shown)
