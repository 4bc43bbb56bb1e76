"""Planted copies of benchmark items and of held-out problems are found; the benchmarks' own formats are all read."""

import gzip
import json
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made
from PIL import Image
from pyarrow import parquet

from stages.benchmarks.questions import present, read_texts, summary
from stages.benchmarks.registry import BENCHMARKS
from stages.curation.decontamination import against_benchmarks, against_held_out
from stages.curation.overlap import GRAM, LONG_MARKS, SHARE, grams_of
from stages.data.files import DataError

CASES = [json.loads(line) for line in Path("tests/cases/decontamination.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_wording(case):
    problem = made(0, question=case["question"], modality=case.get("modality", "text"))
    hits = against_benchmarks([problem], [("math500/test.jsonl:7", case["benchmark"])])
    assert bool(hits) is case["hit"]
    assert all("math500/test.jsonl:7" in reason for reason in hits.values())


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=30), st.lists(st.sampled_from("abcde"), max_size=30))
def test_hits_are_exactly_the_items_with_half_of_their_words_in_shared_runs(ours, theirs):
    """With one item and one prompt every gram is as rare as any other, but for those that stand twice in the item."""
    shared = set(grams_of(ours)) & set(grams_of(theirs))
    covered = {at for start, gram in enumerate(grams_of(theirs)) if gram in shared for at in range(start, start + GRAM)}
    same = bool(ours) and ours == theirs
    inside = LONG_MARKS <= len(theirs) < GRAM and 3 * len(theirs) >= len(ours)
    inside = inside and any(ours[start : start + len(theirs)] == theirs for start in range(len(ours)))
    expected = same or inside or (bool(theirs) and len(covered) / len(theirs) >= SHARE)
    problem = made(0, question=" ".join(ours) or "?")
    assert bool(against_benchmarks([problem], [("b", " ".join(theirs))])) is expected


def test_what_many_texts_hold_weighs_little():
    """A story of 20 words that 50 prompts tell, each with a question of its own: only the one whose question is the item's."""
    story = " ".join(f"told{number}" for number in range(20))
    asked = [" ".join(f"asked{number}x{word}" for word in range(12)) for number in range(50)]
    problems = [made(number, question=f"{story} {question}") for number, question in enumerate(asked)]
    item = [("math500/7", f"{story} {asked[7]}")]
    assert set(against_benchmarks(problems, item)) == {"p7"}
    assert set(against_benchmarks([problems[3]], item)) == {"p3"}, "told nowhere else, it is the item's own"


def test_a_copy_is_a_hit_however_often_it_is_copied():
    text = " ".join(f"word{number}" for number in range(30))
    problems = [made(number, question=f"{number} times: {text}") for number in range(40)]
    texts = [(f"mmlu/{number}", text + "." * number) for number in range(9)]
    assert len(against_benchmarks(problems, texts)) == 40


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
        "p0": f"100% of b/x:1 in common: {' '.join(text.split()[:GRAM])!r}",
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
    damaged = {row.partition(": ")[0] for row in unread if "not as it is scored" not in row}
    assert damaged == {"humaneval_mul/broken.jsonl.gz", "math500/test.jsonl:3"}
    assert present(tmp_path) == [name for name in BENCHMARKS if (tmp_path / name).is_dir()]
    assert summary(tmp_path, 8, unread)["unread"] == len(unread)


STORY = "A farmer plants seven rows of cherry trees with eleven trees in each row; how many trees are there"


@pytest.mark.parametrize(
    ("path", "row", "why"),
    [
        ("math500/data/test-00000-of-00001.parquet", {"problem": STORY, "answer": "77"}, "a file of the hub"),
        ("aime2024/data/train-00000-of-00001.parquet", {"problem": STORY}, "no answer: not as it is scored, read all the same"),
        ("mmmu/Math/validation-00000-of-00001.parquet", {"question": STORY}, "fields are missing"),
        ("mathvision/data/test-00000-of-00001.parquet", {"question": STORY, "decoded_image": {"bytes": b"x"}}, "beside a picture"),
        ("codeforces/problems.jsonl", {"statement": STORY, "contest_id": 1}, "the statement of a problem"),
        ("mmlu/test.jsonl", {"Question": STORY, "choices": ["a"]}, "another case"),
        ("ifeval/data.jsonl", {"prompt_de": STORY}, "a language in the name"),
        ("mathvista/x.json", {"1": {"question": {"en": "short", "zh": STORY}}}, "several languages in one field"),
        ("math500/test.jsonl", {"messages": [{"role": "user", "content": STORY}]}, "a chat"),
        ("math500/test.jsonl", {"q": STORY, "a": "77"}, "no known field: all long texts"),
        ("ceval/val/law_val.tsv", {"Question": STORY}, "tabs"),
    ],
)
def test_what_is_scored_is_read(path, row, why, tmp_path):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    if file.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist([row]), file)
    else:
        file.write_text("\n".join(["\t".join(row), *row.values()]) if file.suffix == ".tsv" else json.dumps(row))
    texts, _ = read_texts(tmp_path)
    assert list(against_benchmarks([made(0, question=STORY), made(1)], texts)) == ["p0"], why


@pytest.mark.parametrize("content", [None, "", "a note\n", '{"id": 1, "label": "B"}\n'])
def test_a_folder_without_a_question_fails(content, tmp_path):
    (tmp_path / "math500").mkdir()
    if content is not None:
        (tmp_path / "math500/test.jsonl").write_text(content)
    with pytest.raises(
        DataError, match=r"math500: the folder of a benchmark, but no question could be read there .* remove the folder"
    ):
        read_texts(tmp_path)


def test_a_benchmark_is_read_in_the_words_of_its_loader(tmp_path):
    """The instruction of a published prompt is no part of the problem, the other dates of a file are read as well."""
    (tmp_path / "aime2024").mkdir()
    row = {
        "id": 3,
        "prompt": "What is 1 + 1?\nPlease reason step by step, and put your final answer within \\boxed{}.",
        "answer": "2",
    }
    (tmp_path / "aime2024/test.jsonl").write_text(json.dumps(row))
    texts, unread = read_texts(tmp_path)
    assert texts == [("aime2024/3", "What is 1 + 1?"), ("aime2024/test.jsonl:1", row["prompt"])]
    assert unread == []


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
