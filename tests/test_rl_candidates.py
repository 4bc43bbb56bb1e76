"""The stage rl keeps candidates when it is asked to, and its second phase starts from one of them."""

import json
from pathlib import Path

import pytest
import yaml
from programs import ended, stage
from test_rl_resume import project
from tiny import Tiny


@pytest.mark.slow
def test_long_keeps_candidates_and_short_starts_from_the_balanced_one(tiny: Tiny, tmp_path: Path) -> None:
    arguments = project(tmp_path, tiny, iterations=3)
    tree = yaml.safe_load((tmp_path / "params.yaml").read_text())
    tree["rl"]["long"] |= {"candidates": 2, "validate_every": 1}
    tree["rl"]["short"] |= {**tree["rl"]["long"], "iterations": 1, "candidates": 0}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    assert ended(stage("stages.rl", arguments, tmp_path)) == 0, (tmp_path / "log.txt").read_text()[-2000:]
    kept = sorted((tmp_path / "out/candidates").glob("*/candidate.json"))
    assert [path.parent.name for path in kept] == ["iteration-000002", "iteration-000003"]
    last = kept[1].parent / "model.safetensors"
    assert last.read_bytes() == (tmp_path / "out/model.safetensors").read_bytes(), "the last one is what RL ended with"
    found = json.loads(kept[0].read_text())
    kept[0].write_text(json.dumps({**found, "accuracy": 1.0, "mean_tokens": 1.0}))  # the one to be chosen
    words = [word.replace("init", "out", 1) if word == "init" else word for word in arguments]
    words = ["short", *words[1:], "--out", "short"]
    assert ended(stage("stages.rl", words, tmp_path, "short.txt")) == 0, (tmp_path / "short.txt").read_text()[-2000:]
    assert (
        "starts from iteration 2: accuracy 1.000 at 1.0 tokens, the shortest of 2 candidates"
        in (tmp_path / "short.txt").read_text()
    )
    assert not (tmp_path / "short/candidates").exists()
