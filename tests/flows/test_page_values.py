"""What a run from Prefect's page may set: numbers and choices; a path, a model or an address only where the project names it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from toy_repository import PROJECT

from flows import page_values
from stages.run.params import ParamsError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(PROJECT / "params.yaml", tmp_path / "params.yaml")
    (tmp_path / "artifacts/models/long_rl").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 3, "rl.long.tau": 0.2, "hardware.gradient_checkpointing": True},
        {"hardware.device": "cpu", "loss.variants": ["rest"], "evaluate.benchmarks": ["math500"]},
        {"curate.weights": {"logic": 2.0}, "curate.limits": {"picture_share": [0.3, None]}},
        {"model.source": "scratch", "model.revision": None, "judge.model": None, "rollout.repetition": None},
        {"evaluate.checkpoints": ["base", "long_rl"]},
        {"model.instruction": "Think, then put it into a box."},
    ],
)
def test_numbers_choices_and_known_values_are_free(root: Path, values: dict[str, Any]) -> None:
    assert page_values.accepted(root, None, values) == values


@pytest.mark.parametrize(
    "values, key",
    [
        ({"model.source": "/home/me/other"}, "model.source"),
        ({"model.source": "owner/name"}, "model.source"),
        ({"model": {"source": "/home/me/other"}}, "model.source"),
        ({"collect.root": "/etc"}, "collect.root"),
        ({"collect.sources": [{"kind": "jsonl", "path": "/etc/passwd"}]}, "collect.sources"),
        ({"evaluate.checkpoints": ["base", "../../elsewhere"]}, "evaluate.checkpoints"),
        ({"evaluate.root": "../../elsewhere"}, "evaluate.root"),
        ({"report.columns": "/etc"}, "report.columns"),
        ({"judge.endpoint": "http://169.254.169.254/v1", "judge.model": "m"}, "judge.endpoint"),
        ({"warm_up.teacher": {"model": "/home/me/other"}}, "warm_up.teacher.model"),
        ({"reward_model": {"x": {"init": "a; touch b", "rows": "c"}}}, "reward_model.x.init"),
        ({"code_tests.x.problems": "$(touch b)"}, "code_tests.x.problems"),
        ({"hardware.launcher": "sh -c id"}, "hardware.launcher"),
    ],
)
def test_text_that_becomes_a_path_a_model_or_an_address_is_refused(root: Path, values: dict[str, Any], key: str) -> None:
    with pytest.raises(ParamsError, match=f"^{key}: .* is not accepted from the page"):
        page_values.accepted(root, None, values)


def test_presets_are_those_of_the_project(root: Path) -> None:
    assert page_values.accepted(root, "laptop", {})["rl.long.iterations"] == 12
    source = page_values.accepted(root, "one-gpu", {})["model.source"]
    assert page_values.accepted(root, None, {"model.source": source}) == {"model.source": source}
    (root / "evil.yaml").write_text("model.source: /home/me/other\n")
    for name in (f"{root}/evil", "../../evil", "laptop,../evil"):
        with pytest.raises(ParamsError, match="no preset"):
            page_values.accepted(root, name, {})


def test_what_the_evaluation_of_a_model_may_name(root: Path) -> None:
    page_values.model(root, "artifacts/models/long_rl", None)
    page_values.model(root, "Qwen/Qwen2.5-VL-7B-Instruct", "c" * 40)
    page_values.name("my-model_1.5")
    for source, revision in (("/home/me/other", None), ("scratch", None), ("--help", None), ("artifacts/models/../..", None)):
        with pytest.raises(ParamsError, match="not accepted from the page"):
            page_values.model(root, source, revision)
    with pytest.raises(ParamsError, match="40 hexadecimal digits"):
        page_values.model(root, "artifacts/models/long_rl", "--branch")
    for name in ("../../out", "-x", "a/b", "", "a b", "..", "a\nb"):
        with pytest.raises(ParamsError, match="expected letters"):
            page_values.name(name)
    with pytest.raises(ParamsError, match="not accepted from the page"):
        page_values.folder(root, "evaluate.root", "/etc")
