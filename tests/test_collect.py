"""The stage program collect on the committed examples and on planted trouble."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.data.files import read_records
from stages.data.records import Demonstration, Finding, Problem

ROOT = Path(__file__).resolve().parents[1]


def source(kind, path, families, train=3, validation=1, heldout=2):
    counts = {"train": train, "validation": validation, "heldout": heldout}
    return {"kind": kind, "families": families, "path": path, **counts}


EXAMPLES = [
    source("procedural", None, ["arithmetic", "chart"]),
    source("gsm8k", "gsm8k/train.jsonl", ["gsm8k"]),
    source("math", "math12k/train_7500_answers_only.jsonl", ["math"]),
    source("tabmwp", "tabmwp_dev1k/items.jsonl", ["tabmwp"]),
]


def collect(folder, sources, root=ROOT / "stages/problems/examples", **changed):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["collect"] |= {"root": str(root), "sources": sources, **changed}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "stages.collect", "--out", "out"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collect")
    done = collect(folder, EXAMPLES)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_source_that_runs_short_says_so(tmp_path):
    done = collect(tmp_path, [EXAMPLES[0], source("gsm8k", "gsm8k/train.jsonl", ["gsm8k"], 1000, 0, 0)])
    full, row = json.loads((tmp_path / "out/funnel.json").read_text())["sources"]
    assert full["missing"] == {}
    assert row["missing"] == {"train": 1000 - row["kept"]["train"]}
    assert f"{row['missing']['train']} of the wanted train problems are missing" in done.stdout


def test_examples_of_every_format_become_problems(collected):
    splits = {name: read_records(collected / f"out/{name}.jsonl", Problem) for name in ("train", "validation", "heldout")}
    everything = [problem for problems in splits.values() for problem in problems]
    assert all(problem.split == name for name, problems in splits.items() for problem in problems)
    assert {problem.source for problem in everything} == {"procedural", "gsm8k", "math", "tabmwp"}
    assert {problem.licence for problem in everything} == {"Apache-2.0", "MIT", "CC-BY-NC-SA-4.0"}
    assert len({problem.id for problem in everything}) == len(everything)
    assert all(problem.modality == ("image" if problem.image else "text") for problem in everything)
    assert all((collected / problem.image).is_file() for problem in everything if problem.image)
    short = read_records(collected / "out/short.jsonl", Demonstration)
    assert {row.problem_id for row in short} == {problem.id for problem in splits["train"]}
    assert all(row.form == "short" and "\\boxed{" in row.response for row in short)


def test_funnel_accounts_for_every_row(collected):
    funnel = json.loads((collected / "out/funnel.json").read_text())
    for row in funnel["sources"]:
        assert row["rows"] == sum(row["kept"].values()) + sum(row["removed"].values()) + row["beyond_quota"]
    assert sum(funnel["splits"].values()) == sum(sum(row["kept"].values()) for row in funnel["sources"])


def test_the_same_parameters_give_the_same_files(collected, tmp_path):
    assert collect(tmp_path, EXAMPLES).returncode == 0
    files = {path.relative_to(collected / "out") for path in (collected / "out").rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()}
    for name in files - {Path("excluded.jsonl")}:
        assert (collected / "out" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_trouble_is_listed_and_the_stage_goes_on(tmp_path):
    rows = [json.dumps({"question": f"What is {n} times 3?", "answer": str(3 * n)}) for n in range(12)]
    (tmp_path / "mine.jsonl").write_text("\n".join([*rows, "{broken", '{"question": "q", "answer": null}']) + "\n")
    done = collect(tmp_path, [source("jsonl", "mine.jsonl", ["mine"], 20, 0, 0)], root=tmp_path)
    assert done.returncode == 0, done.stderr
    findings = read_records(tmp_path / "out/excluded.jsonl", Finding)
    assert [(finding.where.rpartition(":")[2], finding.rule) for finding in findings] == [
        ("13", "malformed row"),
        ("14", "empty answer"),
    ]


WORDS = (
    "Every morning the baker of the small town puts {} loaves into the window, and every evening none is left. How many is that?"
)


def test_alike_problems_go_choices_become_free_and_text_becomes_pictures(tmp_path):
    rows = ["n,q,a", *(f'{n},"{WORDS.format(n)}",{n}' for n in range(10, 18))]
    rows += ['20,"What is 5 + 6? (A) 10 (B) 11",B', f'21,"Today: {WORDS.format(12)}",12']
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n")
    mine = source("csv", "mine.csv", ["mine"], 20, 0, 0) | {"columns": {"id": "n", "question": "q", "answer": "a"}}
    mine |= {"values": {"licence": "MIT"}, "free_answer": True, "render_share": 1.0}
    done = collect(tmp_path, [mine], root=tmp_path)
    assert done.returncode == 0, done.stderr
    problems = {row.id: row for row in read_records(tmp_path / "out/train.jsonl", Problem)}
    kept = {identity.removesuffix("-rendered") for identity in problems}
    assert len(kept) == 9, "one of the two of 12 loaves went; other numbers are other problems"
    for name in kept:
        text, picture = problems[name], problems[f"{name}-rendered"]
        assert (text.answer, text.modality, picture.modality) == (picture.answer, "text", "image")
        assert (tmp_path / picture.image).is_file()
    assert problems["mine-20"].question == "What is 5 + 6?"
    (gone,) = read_records(tmp_path / "out/excluded.jsonl", Finding)
    assert gone.rule == "near-duplicate"
    assert {gone.id, gone.reason.split()[3]} == {"mine-12", "mine-21"}
    assert [row.rule for row in read_records(tmp_path / "out/changed.jsonl", Finding)] == ["free answer"]
    funnel = json.loads((tmp_path / "out/funnel.json").read_text())
    assert [(step["rule"], step["before"], step["removed"], step["after"]) for step in funnel["steps"]] == [
        ("near-duplicate", 10, 1, 9),
        ("drawn as pictures", 9, -9, 18),
    ]
    assert funnel["sources"][0]["changed"] == {"free answer": 1}
    assert collect(tmp_path, [mine], root=tmp_path, near_duplicate=None).returncode == 0
    assert len(read_records(tmp_path / "out/train.jsonl", Problem)) == 20


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([source("gsm8k", "absent.jsonl", ["gsm8k"])], "absent.jsonl: no such file"),
        ([source("procedural", None, ["sudoku"])], "unknown procedural family 'sudoku'"),
        ([source("xlsx", "a.xlsx", ["a"])], "'csv', 'parquet' or 'hub'"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, sources, message):
    done = collect(tmp_path, sources)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out/train.jsonl").exists()
