"""RL only, on a model of the user's, with rows of question and answer: real `dvc repro` on a tiny checkpoint folder. What is left
out hands its checkpoint on, costs no time, and is no result."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from imports import PROJECT
from test_whole_graph import TINY, call
from tiny import Tiny

from flows import overrides
from stages.run.phases import PHASES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ROWS = [{"question": f"What is {a} + {b}?", "answer": str(a + b)} for a in range(1, 8) for b in range(1, 8)]
SIZES = {
    **{key: TINY[key] for key in TINY if key.startswith(("hardware.", "rl.", "evaluate."))},
    "model.context": 192,
    "curate.samples": 2,
    "curate.guesses": 0,
    "curate.min_rows": 16,
    "rl.long.length_weight": 0.5,
    "rl.long.learning_rate": 0.01,
    "rl.long.train_zero_signal": True,
}
"""What makes it tiny; nothing of it is needed for a model of real size."""


def four_values(root: Path) -> dict[str, Any]:
    """What a user says: the model, the rows, and that no supervised phase is wanted."""
    return {
        "model.source": str(root / "my-model"),
        "collect.sources": [
            {"kind": "jsonl", "families": ["mine"], "train": 32, "validation": 4, "heldout": 8, "path": str(root / "mine.jsonl")}
        ],
        "sft.short": None,
        "sft.long": None,
    }


def repro(root: Path, *targets: str) -> tuple[list[str], str]:
    """`dvc repro TARGETS`: the stages that it ran, and all that was said."""
    done = call(root, "python", "-m", "dvc", "repro", *targets)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return re.findall(r"^Running stage '([^']+)'", done.stdout, flags=re.MULTILINE), done.stdout


@pytest.fixture(scope="module")
def root(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files of this checkout with stale results, a checkpoint folder and a file of rows."""
    root = tmp_path_factory.mktemp("mine") / "checkout"
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        kept = not name.startswith(("results/", "tests/")) or name.startswith("results/evaluations/")
        if kept and name != "dvc.lock" and (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, root / name)
    shutil.copytree(tiny.folder, root / "my-model")
    settings = root / "my-model/generation_config.json"  # random weights: some of their responses end, so that rewards differ
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "eos_token_id": [1, *range(40, 400, 12)]}))
    (root / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    overrides.apply(SIZES, root / "params.yaml")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "tiny"]):
        assert call(root, "git", *words).returncode == 0
    return root


@pytest.fixture(scope="module")
def reinforced(root: Path) -> tuple[list[str], str]:
    """The run of the four values, as far as the model that RL makes."""
    overrides.apply(four_values(root), root / "params.yaml")
    return repro(root, "evaluate@base", "evaluate@long_rl")


def seconds(root: Path, stage: str) -> float:
    return float(json.loads((root / f"artifacts/timings/{stage}.json").read_text(encoding="utf-8"))["seconds"])


def test_four_values_are_rl_only(root: Path, reinforced: tuple[list[str], str]) -> None:
    ran, told = reinforced
    assert sorted(ran) == sorted(
        ["phases", "collect", "base", "sft@short", "curate", "warm_up", "sft@long", "rl@long", "evaluate@base", "evaluate@long_rl"]
    )
    for line in (
        "sft.short is null: artifacts/models/short_sft is artifacts/models/base, as it was",
        "no demonstrations: sft.long is null",
    ):
        assert line in told
    models = root / "artifacts/models"
    for name in ("short_sft", "long_sft"):
        assert (models / name / "model.safetensors").read_bytes() == (models / "base/model.safetensors").read_bytes()
        note = json.loads((models / name / "passed_through.json").read_text())
        assert note["same_as"] == "base"
    assert note["null"] == ["sft.short", "sft.long"]
    assert (models / "long_rl/model.safetensors").read_bytes() != (models / "base/model.safetensors").read_bytes()
    assert (root / "artifacts/warm_up/demonstrations.jsonl").read_text() == ""
    assert (root / "results/training/long_sft.csv").read_text() == "step,loss\n"


@pytest.fixture(scope="module")
def reported(root: Path, reinforced: tuple[list[str], str]) -> list[str]:
    """The whole graph with the preset, after it."""
    assert reinforced
    overrides.apply(overrides.preset("rl-only"), root / "params.yaml")
    return repro(root)[0]


def test_the_preset_goes_on_from_there_and_leaves_the_rest_out(root: Path, reported: list[str]) -> None:
    """Nothing that was done is done again, also not the RL."""
    later = ["phases", "merge", "sample@long", "sample@merged", "sft@shortest", "sft@merged_rs", "dpo", "rl@short", "report"]
    assert sorted(reported) == sorted(later)
    assert repro(root)[0] == []
    for name in ("merged", "merged_rs", "shortest", "dpo", "short_rl"):
        assert json.loads((root / f"artifacts/models/{name}/passed_through.json").read_text())["same_as"] == "long_rl"


def test_the_report_shows_no_copy_and_no_stale_file_as_a_result(root: Path, reported: list[str]) -> None:
    """The folder has the committed results of the default run's nine checkpoints."""
    assert reported
    assert (root / "results/evaluations/dpo.json").exists(), "a stale file, left alone"
    summary = json.loads((root / "results/report/summary.json").read_text())
    assert list(summary["checkpoints"]) == ["base", "long_rl"]
    assert {name: one["same_as"] for name, one in summary["handed_on"].items()} == {
        name: "base" if name in ("short_sft", "long_sft") else "long_rl" for name in PHASES if name != "long_rl"
    }
    assert summary["checkpoints"]["base"]["overall"]["n"] == 8
    lost = {name for name, check in summary["checks"].items() if "not_applicable" in check}
    assert lost == {"base_below_short_sft", "long2short"}
    assert "evaluate@dpo" not in summary["seconds"]
    table = (root / "results/report/stand_in.md").read_text()
    assert "short SFT: as base (sft.short is null)." in table
    head = next(line for line in table.splitlines() if line.startswith("| Suite"))
    assert ("long RL" in head, "DPO" in head, "short SFT" in head) == (True, False, False)
    plots = call(root, "python", "-m", "dvc", "plots", "show", "--out", "plots")
    assert plots.returncode == 0, plots.stderr
    page = (root / "results/report/index.html").read_text()
    assert "– not applicable" in page
    assert "Short SFT is base (sft.short is null)." in page


def test_no_weights_are_copied(root: Path, reported: list[str]) -> None:
    """Nine checkpoints, two different files of weights: in DVC's cache each is there once."""
    assert reported
    weights = {path.stat().st_size for path in (root / "artifacts/models").glob("*/model.safetensors")}
    (size,) = weights
    kept = [path for path in (root / ".dvc/cache/files").rglob("*") if path.is_file() and path.stat().st_size == size]
    assert len(kept) == 2


def test_a_phase_that_comes_back_is_trained_beside_the_others(root: Path, reported: list[str]) -> None:
    """A left-out phase is a value like any other: only what follows from it runs. The checkpoint that it was has kept its bytes."""
    assert reported
    before = (root / "artifacts/models/long_rl/model.safetensors").read_bytes()
    tree = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    overrides.apply({"merge": tree["merge"], "evaluate.checkpoints": ["base", "long_rl", "merged"]}, root / "params.yaml")
    ran = repro(root)[0]
    assert sorted(ran) == sorted(["phases", "merge", "sample@merged", "sft@merged_rs", "evaluate@merged", "report"])
    assert not (root / "artifacts/models/merged/passed_through.json").exists()
    assert (root / "artifacts/models/merged/model.safetensors").read_bytes() != before
    assert (root / "artifacts/models/long_rl/model.safetensors").read_bytes() == before
    assert os.stat(root / "artifacts/models/merged_rs/model.safetensors").st_ino  # handed on from the new one
    assert json.loads((root / "artifacts/models/merged_rs/passed_through.json").read_text())["same_as"] == "merged"
