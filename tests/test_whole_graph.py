"""The whole graph, tiny, by the same path as at scale: a checkout of its own, `dvc repro`, every stage a real process."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from imports import PROJECT

from flows import overrides
from stages.reporting.evaluations import CHECKPOINTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

FAMILIES = ("arithmetic", "chart")
TINY: dict[str, Any] = {
    "hardware.device": "cpu",
    "hardware.workers": 1,
    "hardware.generation_batch": 128,
    "hardware.micro_batch_tokens": 768,
    "model.context": 448,  # the request for a long chain of thought is long in a tiny vocabulary
    "collect.sources": [
        {"kind": "jsonl", "families": ["unsolved"], "train": 10, "validation": 0, "heldout": 0, "path": "unsolved.jsonl"},
        {"kind": "procedural", "families": list(FAMILIES), "train": 40, "validation": 4, "heldout": 4, "path": None},
    ],
    **{f"base.{name}": value for name, value in {"hidden": 32, "layers": 2, "heads": 2, "vocabulary": 400}.items()},
    **{f"base.{name}": value for name, value in {"examples": 64, "epochs": 1, "batch": 16, "learning_rate": 0.005}.items()},
    # Enough steps to learn the form of an answer: with ten possible answers, chance then finds right ones for the later stages.
    **{f"sft.short.{name}": value for name, value in {"epochs": 20, "batch": 8, "learning_rate": 0.005}.items()},
    **{f"sft.long.{name}": value for name, value in {"epochs": 3, "batch": 8, "learning_rate": 0.002}.items()},
    **{f"sft.shortest.{name}": value for name, value in {"epochs": 1, "batch": 8}.items()},
    **{f"curate.{name}": value for name, value in {"samples": 2, "temperature": 0.7, "guesses": 1, "guess_probe": 0.1}.items()},
    "curate.min_rows": 16,
    **{f"warm_up.{name}": value for name, value in {"tries": 4, "hazard": 0.9, "terse_share": 1.0, "min_rows": 16}.items()},
    **{
        f"rl.{phase}.{name}": value
        for phase in ("long", "short")
        for name, value in {"iterations": 2, "prompts": 4, "samples": 2, "mini_batch": 4, "temperature": 0.7}.items()
    },
    "rl.long.max_tokens": 24,
    "rl.long.validate_every": 1,
    "rl.short.max_tokens": 16,
    "rl.short.train_zero_signal": True,
    **{
        f"sample.{name}": value
        for name, value in {"prompts": 40, "samples": 8, "temperature": 0.7, "max_tokens": 24, "min_length_ratio": 1.0}.items()
    },
    "evaluate.temperature": 0.7,
    "evaluate.max_tokens": 24,
}
TOOLS = ("PREFECT_", "MLFLOW_", "K15_", "DVC_", "GIT_", "CI")
BLOCK = """
import sys
from importlib.machinery import PathFinder


class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in ("dvc", "prefect", "mlflow") else super().find_spec(name, path, target)


sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


def environ(root: Path, *folders: Path) -> dict[str, str]:
    """A user's environment: no settings of the tools, this Python first, MLflow off (it has tests of its own)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(TOOLS)}
    paths = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])}
    paths |= {"HOME": str(root.parent), "PYTHONPATH": os.pathsep.join(map(str, (*folders, root)))}
    who = {f"GIT_{role}_{name}": "t" for role in ("AUTHOR", "COMMITTER") for name in ("NAME", "EMAIL")}
    return {**kept, **paths, **who, "K15_TRACKING": "off", "OMP_NUM_THREADS": "1"}


def call(root: Path, *words: str, blocked: Path | None = None) -> subprocess.CompletedProcess[str]:
    folders = [blocked] if blocked else []
    return subprocess.run(words, cwd=root, env=environ(root, *folders), capture_output=True, text=True, check=False, timeout=3000)


def repro(root: Path) -> list[str]:
    """`dvc repro`; the names of the stages that it ran."""
    done = call(root, sys.executable, "-m", "dvc", "repro")
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return re.findall(r"^Running stage '([^']+)'", done.stdout, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files of this checkout as they are now, with tiny parameters, without results."""
    root = tmp_path_factory.mktemp("pipeline") / "checkout"
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if not name.startswith(("results/", "tests/")) and name != "dvc.lock" and (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, root / name)
    rows = [
        {"question": f"Which digit comes {place} after {digit}?", "answer": str(digit + place)}
        for digit in range(6)
        for place in (1, 2, 3)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "stages/problems/examples/unsolved.jsonl").write_text(lines, encoding="utf-8")
    overrides.apply(TINY, root / "params.yaml")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "tiny"]):
        done = call(root, "git", *words)
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def first_run(checkout: Path) -> list[str]:
    return repro(checkout)


@pytest.fixture(scope="module")
def finished(checkout: Path, first_run: list[str]) -> Path:
    assert first_run
    return checkout


def outputs(root: Path) -> dict[str, list[Path]]:
    with Repo(str(root)) as repo:
        return {
            stage.name: [Path(out.fs_path) for out in stage.outs] for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"
        }


def test_every_stage_runs_once_and_leaves_what_it_declares(checkout: Path, first_run: list[str]) -> None:
    declared = outputs(checkout)
    assert sorted(first_run) == sorted(declared)
    assert [str(path) for paths in declared.values() for path in paths if not path.exists()] == []
    assert {path.stem for path in (checkout / "artifacts/timings").glob("*.json")} == set(declared)


def test_a_second_run_runs_nothing(finished: Path) -> None:
    assert repro(finished) == []


def test_the_summary_has_the_promised_form(finished: Path) -> None:
    summary = json.loads((finished / "results/report/summary.json").read_text(encoding="utf-8"))
    assert list(summary) == ["checkpoints", "checks", "handed_on", "rl", "seconds"]
    assert set(summary["checkpoints"]) == set(CHECKPOINTS)
    for suites in summary["checkpoints"].values():
        assert set(suites) == {"overall", "text", "image", *FAMILIES}
        for suite, score in suites.items():
            assert set(score) == {"accuracy", "ci95", "mean_tokens", "n", "k", "stand_in"}
            assert (score["n"], score["k"], score["stand_in"]) == (8 if suite == "overall" else 4, 1, True)
            assert 0 <= score["ci95"][0] <= score["accuracy"] <= score["ci95"][1] <= 1
    assert [point["iteration"] for point in summary["rl"]] == [0, 1, 2]
    assert all(set(point) == {"iteration", "accuracy", "mean_tokens", "p95_tokens"} for point in summary["rl"])
    assert set(summary["seconds"]) == set(outputs(finished)) - {"report"}
    assert all(seconds > 0 for seconds in summary["seconds"].values())


def test_rows_without_a_solution_were_given_to_the_model(finished: Path) -> None:
    funnel = json.loads((finished / "results/warm_up/funnel.json").read_text(encoding="utf-8"))
    asked = funnel["teacher"]
    assert asked["prompts"] > 0
    assert asked["tries"] == TINY["warm_up.tries"] * asked["prompts"]
    assert asked["not_answered"] == 0
    assert funnel["prompts"]["with_demonstration"] > 0


class Loads(HTMLParser):
    """What a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            fetches = name in ("src", "srcset", "poster", "data") or (name in ("href", "xlink:href") and tag != "a")
            if fetches and value and not value.startswith(("data:", "#")):
                self.found.append(value)


def test_the_page_needs_no_other_file(finished: Path) -> None:
    page = (finished / "results/report/index.html").read_text(encoding="utf-8")
    loads = Loads()
    loads.feed(page)
    assert loads.found == []
    assert "@import" not in page
    assert re.findall(r"url\((?!['\"]?(?:data:|#))", page) == []


def test_every_checkpoint_is_an_ordinary_transformers_folder(finished: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    sizes = set()
    for name in CHECKPOINTS:
        folder = finished / "artifacts/models" / name
        sizes.add(AutoModelForImageTextToText.from_pretrained(folder).num_parameters())
        assert AutoProcessor.from_pretrained(folder).tokenizer("7")["input_ids"]
    assert len(sizes) == 1


PROGRAMS: dict[str, Callable[[Path], list[str]]] = {
    "collect": lambda out: ["--out", f"{out}/problems"],
    "curate": lambda out: [
        *("--problems", "artifacts/problems", "--model", "artifacts/models/short_sft"),
        *("--out", f"{out}/prompt_set", "--report", f"{out}/curation", "--docs", f"{out}/docs"),
    ],
    "rl": lambda out: [
        *("short", "--init", "artifacts/models/long_rl", "--prompt-set", "artifacts/prompt_set/problems.jsonl"),
        *("--validation", "artifacts/problems/validation.jsonl", "--out", f"{out}/short_rl", "--curves", f"{out}/short_rl.csv"),
    ],
}
SAME = {
    "collect": ("problems/funnel.json", "artifacts/problems/funnel.json"),
    "curate": ("curation/funnel.json", "results/curation/funnel.json"),
    "rl": ("short_rl.csv", "results/training/short_rl.csv"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_stage_is_a_plain_program_without_dvc_prefect_and_mlflow(name: str, finished: Path, tmp_path: Path) -> None:
    """Started by hand where none of them can be imported, it gives what it gave under `dvc repro`."""
    (tmp_path / "sitecustomize.py").write_text(BLOCK, encoding="utf-8")
    for tool in ("dvc", "prefect", "mlflow"):
        assert "No module named" in call(finished, sys.executable, "-c", f"import {tool}", blocked=tmp_path).stderr
    done = call(finished, sys.executable, "-m", f"stages.{name}", *PROGRAMS[name](tmp_path), blocked=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    again, before = SAME[name]
    assert (tmp_path / again).read_text(encoding="utf-8") == (finished / before).read_text(encoding="utf-8")


def test_a_changed_parameter_reruns_exactly_what_reads_it(finished: Path) -> None:
    overrides.apply({"dpo.learning_rate": 0.002}, finished / "params.yaml")
    assert repro(finished) == ["phases", "dpo", "evaluate@dpo", "report"]
