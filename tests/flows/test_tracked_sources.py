"""Each source of problems is a data set of the run that read it, with a digest that follows its content."""

import hashlib
from pathlib import Path
from typing import Any

from flows.sources import digests

WORLDS = {"kind": "procedural", "families": ["chart", "scene"], "train": 2, "validation": 0, "heldout": 0, "path": None}
FILE = {"kind": "gsm8k", "families": ["gsm8k"], "train": 2, "validation": 0, "heldout": 0, "path": "gsm8k/train.jsonl"}
HUB = {**FILE, "kind": "hub", "path": "owner/name", "revision": "0fe84c39"}


def read(root: Path, *sources: dict[str, Any], seed: int = 0) -> dict[str, str]:
    return digests(root, {"collect.root": "data", "collect.sources": list(sources), "seed": seed})


def test_a_file_has_the_digest_of_its_content(tmp_path: Path) -> None:
    file = tmp_path / "data/gsm8k/train.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("{}\n")
    expected = hashlib.md5(b"{}\n").hexdigest()
    assert read(tmp_path, FILE) == {"gsm8k/train.jsonl": expected}, "the same md5 as DVC's and md5sum's"


def test_procedural_problems_follow_seed_and_settings(tmp_path: Path) -> None:
    (name, first), *_ = read(tmp_path, WORLDS).items()
    assert name == "procedural chart scene"
    others = [read(tmp_path, WORLDS, seed=1)[name], read(tmp_path, {**WORLDS, "train": 3})[name]]
    assert len({first, *others}) == 3
    assert read(tmp_path, WORLDS)[name] == first


def test_a_data_set_of_the_hub_is_known_by_its_commit(tmp_path: Path) -> None:
    assert read(tmp_path, HUB) == {"owner/name": "0fe84c39"}


def test_a_stage_that_reads_no_source_has_none(tmp_path: Path) -> None:
    assert digests(tmp_path, {"seed": 0, "base.hidden": 96}) == {}
