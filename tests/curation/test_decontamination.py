"""Planted copies of benchmark items and of held-out problems are found; the benchmarks' own formats are all read."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import made
from PIL import Image

from stages.curation.benchmark_texts import FOLDERS, present, read_texts, summary
from stages.curation.decontamination import GRAM, against_benchmarks, against_held_out, grams_of

CASES = [json.loads(line) for line in Path("tests/cases/decontamination.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_wording(case):
    problem = made(0, question=case["question"], modality=case.get("modality", "text"))
    hits = against_benchmarks([problem], [("math500/test.jsonl:7", case["benchmark"])])
    assert bool(hits) is case["hit"]
    assert all("math500/test.jsonl:7" in reason for reason in hits.values())


@given(st.lists(st.sampled_from("abcde"), max_size=30), st.lists(st.sampled_from("abcde"), max_size=30))
def test_hits_are_exactly_the_shared_runs(ours, theirs):
    shared = set(grams_of(ours)) & set(grams_of(theirs))
    same = bool(ours) and ours == theirs
    problem = made(0, question=" ".join(ours) or "?")
    assert bool(against_benchmarks([problem], [("b", " ".join(theirs))])) is (bool(shared) or same)


def test_every_problem_of_a_copied_text_is_a_hit():
    text = " ".join(f"word{number}" for number in range(GRAM))
    problems = [made(0, question=text), made(1, question=f"Now {text}"), made(2)]
    assert set(against_benchmarks(problems, [("b", text)])) == {"p0", "p1"}


def test_the_text_in_a_picture_is_compared_too():
    text = " ".join(f"word{number}" for number in range(GRAM + 2))
    drawn = {"modality": "image", "image": "a.png", "question": "Solve the problem in the picture."}
    problems = [made(0, **drawn, parameters={"rendered": f"Now {text}"}), made(1, **drawn, parameters={"rendered": "What is x?"})]
    problems.append(made(2, **drawn))
    hits = against_benchmarks(problems, [("b/x:1", text), ("b/x:2", "what is x"), ("b/x:3", "Solve the problem in the picture.")])
    assert hits == {
        "p0": f"13 words in common with b/x:1: {' '.join(text.split()[:GRAM])!r}",
        "p1": "the same question as b/x:2",
    }, "a short question about a real picture is none"


def test_held_out_copies_count_with_their_picture(tmp_path):
    for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
        Image.new("RGB", (4, 4), color).save(tmp_path / f"{name}.png")
    pictures = [made(n, question="Which?", modality="image", image=str(tmp_path / f"{name}.png")) for n, name in enumerate("abc")]
    held = pictures[0].model_copy(update={"id": "h", "split": "heldout"})
    assert set(against_held_out([*pictures, made(5)], [held])) == {"p0", "p2"}
    text = made(9, id="v", split="validation", question="what is  5 + 1")
    assert against_held_out([made(5), made(6)], [text]) == {"p5": "the same question as validation problem v"}


def test_the_published_formats_are_read(tmp_path):
    (tmp_path / "math500").mkdir()
    (tmp_path / "math500" / "test.jsonl").write_text('{"problem": "one"}\n{"problem": "two", "solution": "s"}\n{bad\n')
    (tmp_path / "mmlu" / "test").mkdir(parents=True)
    (tmp_path / "mmlu" / "test" / "algebra_test.csv").write_text('"three, and more",0,4,2,6,B\n')
    (tmp_path / "ceval" / "val").mkdir(parents=True)
    (tmp_path / "ceval" / "val" / "law_val.csv").write_text("id,question,A,B,C,D,answer\n0,four,a,b,c,d,D\n")
    (tmp_path / "mathvista").mkdir()
    (tmp_path / "mathvista" / "testmini.json").write_text('{"1": {"question": "five", "choices": null}}')
    (tmp_path / "cluewsc").mkdir()
    (tmp_path / "cluewsc" / "dev.json").write_text('{"text": "six", "label": "true"}\n{"text": "seven"}\n')
    (tmp_path / "humaneval_mul").mkdir()
    (tmp_path / "humaneval_mul" / "h.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "eight"}\n'))
    (tmp_path / "humaneval_mul" / "broken.jsonl.gz").write_bytes(b"no gzip")
    (tmp_path / "unknown").mkdir()
    (tmp_path / "unknown" / "x.jsonl").write_text('{"problem": "nine"}\n')
    texts, unread = read_texts(tmp_path)
    assert {text for _, text in texts} >= {"one", "two", "three, and more", "four", "five", "six", "seven", "eight"}
    assert "nine" not in {text for _, text in texts}
    assert ("math500/test.jsonl:2", "two") in texts
    assert sorted(row.partition(": ")[0] for row in unread) == [
        "humaneval_mul/broken.jsonl.gz",
        "math500/test.jsonl:3",
    ]
    assert present(tmp_path) == [name for name in FOLDERS if (tmp_path / name).is_dir()]
    assert summary(tmp_path, 8, unread)["unread"] == 2


def test_a_planted_real_item_is_found(tmp_path):
    root = Path("../shared/bench")
    if not (root / "math500/test.jsonl").exists():
        pytest.skip("no ../shared/bench: needs the published MATH-500 file")
    for name in ("math500", "aime2024"):
        (tmp_path / name).symlink_to((root / name).resolve())
    item = json.loads((root / "math500/test.jsonl").read_text().splitlines()[200])
    texts, unread = read_texts(tmp_path)
    assert len(texts) >= 530
    assert unread == []
    hits = against_benchmarks([made(0, question=item["problem"]), made(1)], texts)
    assert list(hits) == ["p0"]
    assert "math500/" in hits["p0"]


def test_a_problem_in_two_benchmarks_names_both():
    texts = [("math500/a:1", "What is 0 + 1?"), ("math500/a:9", "What is 0 + 1?"), ("mmlu/b:2", "what is 0 + 1")]
    assert against_benchmarks([made(0)], texts) == {"p0": "the same question as math500/a:1; the same question as mmlu/b:2"}
