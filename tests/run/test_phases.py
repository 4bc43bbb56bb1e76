"""Phases that are left out: which checkpoint is which, what has nothing to do, and how a checkpoint is handed on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from imports import PROJECT
from tiny import params, write_params

from stages.data.files import DataError
from stages.run.params import ParamsError, parsed
from stages.run.phases import HANDED_ON, PHASES, clear, hand_on, handed_on, idle, passed_through, same_as, write_phases


def test_which_checkpoint_is_which() -> None:
    null = ["sft.short", "sft.long", "merge", "sft.merged_rs"]
    assert {name: same_as(name, null) for name in ("base", *PHASES)} == {
        "base": "base",
        "short_sft": "base",
        "long_sft": "base",
        "long_rl": "long_rl",
        "merged": "long_rl",
        "merged_rs": "long_rl",
        "shortest": "shortest",
        "dpo": "dpo",
        "short_rl": "short_rl",
    }
    assert passed_through(null)["long_sft"] == {"same_as": "base", "because": "sft.short and sft.long are null"}
    assert passed_through(null)["short_sft"]["because"] == "sft.short is null"
    assert passed_through([]) == {}


@pytest.mark.parametrize(
    ("null", "without"),
    [
        (["sft.long"], {"warm_up"}),
        (["sft.shortest"], set[str]()),
        (["dpo"], set[str]()),
        (["sft.shortest", "dpo"], {"sample@long"}),
        (["sft.merged_rs"], {"sample@merged"}),
        (["merge"], set[str]()),
    ],
)
def test_what_has_nothing_to_do(null: list[str], without: set[str], tmp_path: Path) -> None:
    """A stage that makes something for two phases works until both are left out."""
    write_phases(tmp_path, null)
    files = {"warm_up": "warm_up", "sample@long": "sample_long", "sample@merged": "sample_merged"}
    assert {stage for stage, name in files.items() if idle(tmp_path / f"{name}.json")} == without
    assert idle(None) is None


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_file_of_phases_that_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "warm_up.json").write_text(content)
    with pytest.raises(DataError, match="run `dvc repro phases`"):
        idle(tmp_path / "warm_up.json")


def checkpoint(folder: Path, text: str = "weights") -> Path:
    (folder / "deep").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "deep/chat_template.jinja"):
        (folder / name).write_text(f"{text} {name}")
    return folder


def test_a_checkpoint_is_handed_on_without_a_copy(tmp_path: Path) -> None:
    base, short, long = checkpoint(tmp_path / "base"), tmp_path / "short_sft", tmp_path / "long_sft"
    hand_on(base, short, "sft.short", tmp_path / "curves.csv")
    hand_on(short, long, "sft.long")
    for name in ("config.json", "model.safetensors", "deep/chat_template.jinja"):
        assert len({os.stat(folder / name).st_ino for folder in (base, short, long)}) == 1
    assert handed_on(base) is None
    assert handed_on(short) == {"same_as": "base", "null": ["sft.short"]}
    assert handed_on(long) == {"same_as": "base", "null": ["sft.short", "sft.long"]}
    assert (tmp_path / "curves.csv").read_text() == "step,loss\n"


def test_what_lay_there_goes_and_links_are_not_written_through(tmp_path: Path) -> None:
    """A phase that is trained again where a checkpoint was handed on must not write into the other folder's files."""
    base, out = checkpoint(tmp_path / "base"), checkpoint(tmp_path / "out", "old")
    (out / "old.bin").touch()
    hand_on(base, out, "dpo")
    assert not (out / "old.bin").exists()
    clear(out)
    assert not out.exists()
    assert (base / "model.safetensors").read_text() == "weights model.safetensors"
    clear(base)
    assert base.exists(), "its own work stays"
    assert not (base / HANDED_ON).exists()


def test_where_links_cannot_be_had_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refused)
    hand_on(checkpoint(tmp_path / "base"), tmp_path / "out", "merge")
    assert (tmp_path / "out/model.safetensors").read_text() == "weights model.safetensors"


def test_nothing_to_hand_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"base: no checkpoint to hand on \(sft.short is null\)"):
        hand_on(tmp_path / "base", tmp_path / "out", "sft.short")


def test_each_phase_may_be_null() -> None:
    for name, phase in PHASES.items():
        found = parsed(params(**{phase.section.replace(".", "__"): None}))
        assert found.null == [phase.section], name


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"evaluate__checkpoints": []}, "evaluate.checkpoints = []: List should have at least 1 item"),
        ({"evaluate__checkpoints": ["base", "rl"]}, "evaluate: checkpoints: 'rl' is none; there are: base, short_sft,"),
        ({"evaluate__checkpoints": ["base", "base"]}, "evaluate: checkpoints: base is there twice"),
        (
            {"sft__short": None, "sft__long": None, "evaluate__checkpoints": ["long_sft", "long_rl"]},
            "params.yaml: evaluate.checkpoints: long_sft is base here (sft.short and sft.long are null); list base instead",
        ),
        ({"base": None}, "base = None"),
    ],
)
def test_values_that_do_not_fit(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ParamsError) as error:
        parsed(params(**changed))
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1


SFT = "--init start --demonstrations d --out out --curves c.csv --left-out l.json"
RL = "--init start --prompt-set p --validation v --out out --curves c.csv"
SAMPLE = "--model start --prompt-set p --needed idle.json --out out"
WARM_UP = f"{SAMPLE} --report report --docs docs"


@pytest.mark.parametrize(
    ("words", "null"),
    [
        (f"sft short {SFT}", {"sft__short": None}),
        (f"rl long {RL}", {"rl__long": None}),
        ("dpo --init start --samples s --out out --curves c.csv", {"dpo": None}),
        ("merge --long start --short other --out out", {"merge": None}),
        (f"sample long {SAMPLE}", {}),
        (f"warm_up {WARM_UP}", {}),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_a_phase_that_is_left_out_loads_no_torch(words: str, null: dict[str, Any], tmp_path: Path) -> None:
    """Importing torch, transformers and DeepSpeed takes five seconds, the rest of it under one."""
    write_params(tmp_path, **null)
    (tmp_path / "start").mkdir()
    (tmp_path / "start/config.json").write_text("{}")
    (tmp_path / "idle.json").write_text(json.dumps({"idle": "sft.long is null"}))
    name, *arguments = words.split()
    program = (
        "import runpy, sys\n"
        f"sys.argv = {['program', *arguments]!r}\n"
        f"runpy.run_module('stages.{name}', run_name='__main__')\n"
        "heavy = {'torch', 'transformers', 'deepspeed', 'great_expectations', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
    assert any((tmp_path / "out").iterdir())
