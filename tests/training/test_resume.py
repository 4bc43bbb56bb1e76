"""Stages that are killed at any moment and started again end with the same bits as ones that were not."""

import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from programs import ended, stage
from tiny import Tiny, write_params

from stages.data.files import write_records

SEED = int(os.environ.get("K15_TEST_SEED") or random.randrange(1 << 30))
SAVE = {"whole": 60, "cut": 0}
"""hardware.save_seconds of the two runs: no result depends on it."""


def killed(process: BaseProcess, spool: Path, rows: int) -> int:
    """Kill the process as soon as its spool has `rows` metric rows; returns how many it had then."""
    until = time.monotonic() + 500
    while time.monotonic() < until and process.is_alive():
        if spool.exists() and (found := spool.read_text().count('{"step"')) >= rows:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            return found
        time.sleep(0.005)
    process.kill()
    raise AssertionError(f"no {rows} rows in {spool} before the end")


def state_is_there(folder: Path) -> bool:
    return any(folder.glob("artifacts/state/*/*/step-*"))


def same(left: Path, right: Path, names: list[str]) -> None:
    for name in names:
        assert (left / name).read_bytes() == (right / name).read_bytes(), f"{name} differs (K15_TEST_SEED={SEED})"


def interrupted(module: str, arguments: list[str], spool: str, last: int, whole: Path, cut: Path, names: list[str]) -> None:
    """Run in `whole` without a break; in `cut`, which saves after each step, kill it at a random row and run it again; compare."""
    assert ended(stage(module, arguments, whole)) == 0, (whole / "log.txt").read_text()[-3000:]
    row = random.Random(SEED).randrange(3, last)
    print(f"K15_TEST_SEED={SEED}: kill -9 at row {row}")
    at = killed(stage(module, arguments, cut), cut / spool, row)
    assert at <= last
    assert state_is_there(cut), (cut / "log.txt").read_text()[-3000:]
    assert not (cut / "out").exists()
    assert ended(stage(module, arguments, cut, "again.txt")) == 0, (cut / "again.txt").read_text()[-3000:]
    same(whole, cut, names)
    assert not state_is_there(cut), "the state goes when the stage is done"


@pytest.mark.slow
def test_pretraining_by_muon_killed_at_a_random_step(tmp_path: Path) -> None:
    arguments = ["--problems", "problems", "--out", "out", "--curves", "curves.csv"]
    shape = {"base__hidden": 32, "base__layers": 1, "base__heads": 2, "base__examples": 96, "base__batch": 8}
    for name in ("whole", "cut"):
        write_params(tmp_path / name, **shape, base__muon_learning_rate=0.01, hardware__save_seconds=SAVE[name])
        write_records(tmp_path / name / "problems/train.jsonl", [])
    names = ["out/model.safetensors", "curves.csv"]
    interrupted("stages.base", arguments, "artifacts/spool/base.jsonl", 20, tmp_path / "whole", tmp_path / "cut", names)
    assert (tmp_path / "cut/curves.csv").read_text().count("\n") == 13, "a heading and 96 documents in batches of 8"


@pytest.mark.slow
def test_sft_killed_at_a_random_step(tiny: Tiny, tmp_path: Path) -> None:
    arguments = ["long", "--init", str(tiny.folder), "--demonstrations", "demonstrations.jsonl"]
    arguments += ["--out", "out", "--curves", "curves.csv", "--left-out", "left_out.json"]
    for name in ("whole", "cut"):
        write_params(
            tmp_path / name,
            sft__long__epochs=3,
            sft__long__batch=6,
            sft__long__learning_rate=0.003,
            hardware__save_seconds=SAVE[name],
        )
        write_records(tmp_path / name / "demonstrations.jsonl", tiny.demonstrations()[:24])
    names = ["out/model.safetensors", "curves.csv"]
    spool = "artifacts/spool/sft@long.jsonl"
    interrupted("stages.sft", arguments, spool, 20, tmp_path / "whole", tmp_path / "cut", names)
    assert (tmp_path / "cut/curves.csv").read_text().count("\n") == 13


@pytest.mark.slow
def test_rl_killed_between_or_in_iterations(tiny: Tiny, tmp_path: Path) -> None:
    arguments = ["long", "--init", str(tiny.folder), "--prompt-set", "problems.jsonl", "--validation", "validation.jsonl"]
    arguments += ["--out", "out", "--curves", "curves.csv"]
    changed = {
        "iterations": 5,
        "prompts": 4,
        "samples": 2,
        "max_tokens": 12,
        "mini_batch": 4,
        "length_weight": 0.5,
        "length_from": 0,
        "curriculum_until": 0,
        "prioritized": True,
        "hard_pass_rate": 1.0,
        "validate_every": 2,
        "train_zero_signal": True,
        "learning_rate": 0.01,
    }
    for name in ("whole", "cut"):
        values = {f"rl__long__{key}": value for key, value in changed.items()}
        write_params(tmp_path / name, **values, hardware__save_seconds=SAVE[name])
        write_records(tmp_path / name / "problems.jsonl", tiny.curated()[::2])
        write_records(tmp_path / name / "validation.jsonl", tiny.problems[1::6])
    names = ["out/model.safetensors", "curves.csv"]
    interrupted("stages.rl", arguments, "artifacts/spool/rl@long.jsonl", 8, tmp_path / "whole", tmp_path / "cut", names)
    lines = (tmp_path / "cut/curves.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["iteration", "0", "1", "2", "3", "4", "5"]
