"""study/dvc.yaml: its own graph, which calls the programs as dvc.yaml does and declares what they read; and one ablation, tiny."""

import functools
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo
from imports import PROJECT, closure
from tiny import Tiny, params

from flows import graph
from stages.data.files import write_records
from stages.study import ablation, verdicts
from stages.study.settings import read_settings
from stages.study.steps import AFTER, CHECKPOINTS, DATA, RL, TRUNK

RAW = yaml.safe_load((PROJECT / "study/dvc.yaml").read_text(encoding="utf-8"))["stages"]


def own_stages() -> list[Any]:
    with Repo(str(PROJECT)) as repo:
        return [stage for stage in repo.index.stages if stage.path_in_repo == "study/dvc.yaml"]


def test_one_trunk_a_seed_and_one_ablation_a_variant_and_seed() -> None:
    settings = read_settings(PROJECT / "study/params.yaml")
    seeds = [f"trunk@{seed}" for seed in settings.seeds]
    runs = [f"ablation@{variant}-{seed}" for variant in settings.variants for seed in settings.seeds]
    assert [stage.name for stage in own_stages()] == [*seeds, *runs, "verdicts"]


def test_the_main_graph_does_not_know_it() -> None:
    known = {node.name for node in graph.nodes(PROJECT)}
    assert "rl@long" in known
    assert not [name for name in known if name.startswith(("trunk", "ablation", "verdicts"))]


def test_its_programs_are_called_as_in_the_main_graph() -> None:
    """In the same words, so that a run of the study is a run of the recipe."""
    with Repo(str(PROJECT)) as repo:
        stages = {stage.name: stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"}
    for step in (*TRUNK, RL, AFTER):
        assert stages[step.name].cmd.split(" -- ")[1].split() == list(step.words), step.name


@pytest.mark.parametrize("name", ["trunk", "ablation", "verdicts"])
def test_declared_code_covers_what_the_program_runs(name: str) -> None:
    """A step that another run takes (steps.py names all) is not this one's."""
    body = RAW[name].get("do", RAW[name])
    declared = [Path(dep) for dep in body["deps"] if dep.startswith("stages/")]
    program = Path(f"stages/study/{name}.py")
    assert f"python -m stages.study.{name} " in body["cmd"]
    foreign = {
        "trunk": {Path("stages/rl.py"), *(path for path in closure(Path("stages/rl.py")) if path.is_relative_to("stages/policy"))},
        "ablation": {Path(f"stages/{other}.py") for other in ("phases", "collect", "curate", "warm_up")},
        "verdicts": set(),
    }[name]
    loaded = {path for path in closure(program) if path not in foreign}
    if name == "ablation":
        loaded = {path for path in loaded if not path.is_relative_to("stages/curation")}
    if name == "verdicts":  # steps.py names programs that it does not start
        loaded = {path for path in loaded if path.is_relative_to("stages/study") or path.is_relative_to("stages/reporting")}
    assert [str(path) for path in sorted(loaded) if not any(path.is_relative_to(dep) for dep in declared)] == []


def test_parameters_of_the_graph_are_those_of_params_yaml() -> None:
    tree = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    for name in ("trunk", "ablation"):
        body = RAW[name].get("do", RAW[name])
        (keys,) = (group["params.yaml"] for group in body["params"] if "params.yaml" in group)
        missing = [
            key for key in keys if functools.reduce(lambda place, part: (place or {}).get(part), key.split("."), tree) is None
        ]
        assert missing == []


def trunk(folder: Path, tiny: Tiny) -> None:
    """A trunk made by hand around the tiny checkpoint."""
    write_records(folder / DATA[0] / "train.jsonl", tiny.problems)
    write_records(folder / DATA[0] / "validation.jsonl", tiny.problems[:6])
    write_records(folder / DATA[0] / "heldout.jsonl", tiny.problems[6:12])
    write_records(folder / DATA[1] / "problems.jsonl", tiny.curated()[:8])
    write_records(folder / DATA[2] / "demonstrations.jsonl", tiny.demonstrations())
    for checkpoint in CHECKPOINTS:
        shutil.copytree(tiny.folder, folder / checkpoint)
    rows = [
        {"suite": p.family, "id": p.id, "question": p.question, "image": p.image, "gold": p.answer, "text": "", "tokens": 8}
        for p in tiny.problems[6:12]
    ]
    lines = "".join(f"{json.dumps({**row, 'outcome': 'wrong', 'finish': 'length'})}\n" for row in rows)
    (folder / "artifacts/generations").mkdir(parents=True)
    (folder / "artifacts/generations/long_sft.jsonl").write_text(lines, encoding="utf-8")


@pytest.mark.slow
def test_one_ablation_of_two_seeds_from_end_to_end(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two iterations on eight prompts, the recipe and ReST: real programs, real generations, verdicts and the page."""
    tree = params(evaluate__max_tokens=8, collect__root=str(PROJECT / "stages/problems/examples"), evaluate__root=str(tmp_path))
    rl = {"iterations": 2, "prompts": 8, "samples": 2, "mini_batch": 8, "max_tokens": 8, "validate_every": 1}
    changes = {f"rl.long.{key}": value for key, value in rl.items()}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    settings = {"seeds": [0, 1], "changes": changes, "variants": {"control": {}, "rest": {"loss.variants": ["rest"]}}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    trunk(tmp_path / "trunk", tiny)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))

    def call(main: Callable[[], None], *words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["program", *words])
        main()
        return capsys.readouterr().out

    for seed in (0, 1):
        (tmp_path / f"runs/{seed}").mkdir(parents=True)
        (tmp_path / f"runs/{seed}/trunk").symlink_to(tmp_path / "trunk")
        for variant in ("control", "rest"):
            words = ("--seed", str(seed), "--trunk", f"runs/{seed}/trunk", "--settings", "settings.yaml")
            told = call(ablation.main, variant, *words, "--out", f"runs/{seed}/{variant}")
            assert re.search(r"rl@long \(1 of 2\).*\n.*evaluate@long_rl \(2 of 2\)", told)
    assert not list((tmp_path / "artifacts/state").glob("*/*")), "nothing is left to resume"
    told = call(verdicts.main, "--runs", "runs", "--settings", "settings.yaml", "--out", "out")
    assert "undecided: pushing wrong responses down beats fitting right ones only (ReST)" in told
    assert (tmp_path / "out/index.html").exists()
    curves = [(tmp_path / f"runs/0/{variant}/results/training/long_rl.csv").read_text() for variant in ("control", "rest")]
    assert all(text.count("\n") == 4 for text in curves), "header, two iterations, the last validation"
