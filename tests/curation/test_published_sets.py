"""The whole of collect and of curate's rules that ask no model, on the published training sets, with items of MATH-500 planted."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.benchmarks.questions import read_texts
from stages.curation.funnel import Funnel
from stages.curation.rules import without_model
from stages.data.files import read_records
from stages.data.records import Finding, Problem
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path("../shared").resolve()
BENCHMARKS = ("math500", "aime2024", "mathvista", "humaneval_mul", "livecodebench")
NEEDED = [SHARED / path for path in ("train/gsm8k/train.jsonl", "bench/math500/test.jsonl")]
absent = [str(path) for path in NEEDED if not path.exists()]
pytestmark = pytest.mark.skipif(bool(absent), reason=f"no {', '.join(absent)}: needs the published files")
PLANTED = 12


def source(kind: str, path: str, family: str, train: int, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "families": [family], "train": train, "validation": 10, "heldout": 10, "path": path, **more}


SOURCES = [
    source("gsm8k", "gsm8k/train.jsonl", "gsm8k", 600),
    source("math", "math12k/test_minus_math500_4500.jsonl", "math", 600, render_share=0.05),
    source("tabmwp", "tabmwp_dev1k/items.jsonl", "tabmwp", 300),
    {**source("jsonl", "mine.jsonl", "mine", 100), "validation": 0, "heldout": 0, "free_answer": True},
]
CODE = [
    source("mbpp", "code_mbpp/mbpp.jsonl", "mbpp", 100),
    source("leetcode", "code_leetcode180/20240121-Jul.jsonl", "leetcode", 50),
]
"""Where there is a sandbox; without one no program can be judged, and collect says so."""


def mine(folder: Path) -> None:
    """Rows of one's own: items of MATH-500 under other names, GSM8K in other words, a proof, an answer that nothing reads."""
    items = [json.loads(line) for line in (SHARED / "bench/math500/test.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [
        {"id": f"planted{n}", "question": f"{item['problem']} ", "answer": item["answer"]} for n, item in enumerate(items[::42])
    ]
    assert len(rows) == PLANTED
    told = [json.loads(line) for line in (SHARED / "train/gsm8k/train.jsonl").read_text(encoding="utf-8").splitlines()[:200]]
    for number, row in enumerate(told):
        rows.append({"id": f"alike{number}", "question": f"So: {row['question']}", "answer": row["answer"].rpartition("#### ")[2]})
    rows += [{"id": "free", "question": "What is 17 + 26? (A) 33 (B) 43 (C) 44", "answer": "B", "verifier": "choice"}]
    rows += [{"id": "proof", "question": "Show that 91 is composite.", "answer": "7"}]
    rows += [{"id": "unreadable", "question": "How many?", "answer": "\\frac{"}]
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    (folder / "train").mkdir()
    for path in (SHARED / "train").iterdir():
        (folder / "train" / path.name).symlink_to(path)
    mine(folder / "train")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    code = CODE if (why_unavailable() or missing("python")) is None else []
    sources = [{**one, "train": 300} if one["kind"] == "jsonl" else one for one in [*SOURCES, *code]]
    params["collect"] |= {"root": "train", "sources": sources, "max_image_pixels": 65_536}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "stages.collect", "--out", "out"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_collect_accounts_for_every_row(collected: Path) -> None:
    funnel = json.loads((collected / "out/funnel.json").read_text(encoding="utf-8"))
    for row in funnel["sources"]:
        assert row["rows"] == sum(row["kept"].values()) + sum(row["removed"].values()) + row["beyond_quota"], row["source"]
    splits = {name: read_records(collected / f"out/{name}.jsonl", Problem) for name in ("train", "validation", "heldout")}
    assert {name: len(rows) for name, rows in splits.items()} == funnel["splits"]
    assert funnel["steps"][-1]["after"] == sum(funnel["splits"].values())
    licences = {(row.source, row.licence) for rows in splits.values() for row in rows}
    assert licences >= {("gsm8k", "MIT"), ("math", "MIT"), ("tabmwp", "CC-BY-NC-SA-4.0"), ("mine", "not stated")}
    rules = Counter(finding.rule for finding in read_records(collected / "out/excluded.jsonl", Finding))
    assert rules["near-duplicate"] > 5, "gsm8k rows told in other words"
    assert rules["unparseable answer"] >= 1
    changed = Counter(finding.rule for finding in read_records(collected / "out/changed.jsonl", Finding))
    assert changed["resized"] > 20
    assert changed["free answer"] == 1
    twins = [row for row in splits["train"] if row.id.endswith("-rendered")]
    assert len(twins) > 10
    assert all((collected / str(row.image)).is_file() for row in twins)


def test_the_rules_find_what_was_planted(collected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BENCHMARKS:
        (tmp_path / name).symlink_to(SHARED / "bench" / name)
    monkeypatch.chdir(collected)
    train = read_records(Path("out/train.jsonl"), Problem)
    held_out = [row for name in ("validation", "heldout") for row in read_records(Path(f"out/{name}.jsonl"), Problem)]
    funnel = Funnel()
    texts, _ = read_texts(tmp_path)
    kept = without_model(funnel, train, held_out, texts, {"texts": len(texts)}, workers=2, judged=False)
    removed = {(finding.id, finding.rule): finding.reason for finding in funnel.findings}
    there = [row.id for row in train if row.id.startswith("mine-planted")]
    assert len(there) >= PLANTED - 2, "an answer or two of MATH-500 are beyond the verifier"
    for identity in there:
        assert (
            "of math500/test/" in removed[identity, "in a benchmark"] or "as math500/test/" in removed[identity, "in a benchmark"]
        )
    assert removed["mine-proof", "hard exclusions"] == "proof question"
    kinds = Counter(reason for (_, rule), reason in removed.items() if rule == "hard exclusions")
    assert kinds["multiple choice question"] > 10, "of TabMWP, whose choices are words"
    assert len(kept) > 0.8 * len(train)
    hits = funnel.content()["decontamination"]["hits"]
    assert {hit["id"] for hit in hits} >= set(there)
