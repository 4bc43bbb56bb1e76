"""Sources become disjoint splits; a bad row is a finding with file and line; an unusable source is one clear error."""

import json
from collections import Counter

import pytest
from PIL import Image

from stages.data.files import DataError
from stages.problems.published import file_name, order_of, question_digest, split_of
from stages.problems.sources import LOADERS, Setting, check_splits, judgeable, load, without_repeats
from stages.run.collecting import Source
from stages.verifiers.judge import NO_JUDGE


def source(kind, path, train=8, validation=0, heldout=0, families=("mine",)):
    return Source(kind=kind, families=list(families), train=train, validation=validation, heldout=heldout, path=path)


def setting(tmp_path, max_pixels=10_000):
    return Setting(tmp_path, tmp_path / "images", max_pixels, seed=0, workers=1)


def write(path, rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))


def test_every_kind_of_params_has_a_loader():
    assert set(LOADERS) == set(Source.model_fields["kind"].annotation.__args__)


def test_bad_rows_are_listed_with_file_and_line(tmp_path):
    rows = [
        {"id": "a", "question": "one?", "answer": "1"},
        "{not json",
        {"id": "b", "question": "two?", "answer": ""},
        {"id": "a", "question": "three?", "answer": "3"},
        {"id": "d", "question": "One ?", "answer": "1"},
        {"id": "e", "question": "five?", "answer": "5x", "verifier": "integer"},
        {"id": "f", "question": "six?", "answer": "6", "source": "MathVista"},
        {"id": "g", "question": "seven?", "answer": "7", "licence": "BSD with Machine Learning Restriction"},
    ]
    write(tmp_path / "rows.jsonl", rows)
    loaded = load(source("jsonl", "rows.jsonl"), setting(tmp_path))
    assert [problem.id for problem in loaded.problems] == ["mine-a"]
    found = {int(finding.where.rpartition(":")[2]): finding.rule for finding in loaded.excluded}
    assert found == {
        2: "malformed row",
        3: "empty answer",
        4: "duplicate id",
        5: "duplicate question",
        6: "unparseable answer",
        7: "forbidden set",
        8: "forbidden set",
    }
    assert loaded.rows == 8


def test_bad_pictures_are_listed(tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "good.png")
    Image.new("RGB", (200, 100)).save(tmp_path / "large.png")
    Image.new("1", (2000, 1000)).save(tmp_path / "huge.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:40])
    names = ["good.png", "large.png", "huge.png", "broken.png", "absent.png", "../good.png"]
    rows = [{"id": name, "question": "How wide?", "answer": "1", "image": name} for name in names]
    write(tmp_path / "rows.jsonl", rows)
    loaded = load(source("jsonl", "rows.jsonl"), setting(tmp_path))
    assert sorted(problem.id for problem in loaded.problems) == ["mine-good.png", "mine-large.png"]
    reasons = {finding.id: finding.reason for finding in loaded.excluded}
    assert {finding.rule for finding in loaded.excluded} == {"bad picture"}
    assert "too large: 2000 x 1000" in reasons["mine-huge.png"]
    assert "broken" in reasons["mine-broken.png"]
    assert "does not exist" in reasons["mine-absent.png"]
    assert "leaves the folder" in reasons["mine-../good.png"]
    (resized,) = loaded.changed
    assert resized.id == "mine-large.png"
    assert "200 x 100 -> 141 x 70" in resized.reason
    large = next(problem for problem in loaded.problems if problem.id == "mine-large.png")
    with Image.open(large.image) as picture:
        assert picture.size == (141, 70)


def test_splits_follow_the_question_not_the_file(tmp_path):
    rows = [{"question": f"What is {n} plus {n}?", "answer": str(2 * n)} for n in range(400)]
    write(tmp_path / "rows.jsonl", rows)
    write(tmp_path / "turned.jsonl", rows[::-1] + rows[:50])
    wanted = {"train": 60, "validation": 20, "heldout": 20}
    first = load(source("jsonl", "rows.jsonl", **wanted), setting(tmp_path))
    second = load(source("jsonl", "turned.jsonl", **wanted), setting(tmp_path))
    assert {p.question: p.split for p in first.problems} == {p.question: p.split for p in second.problems}
    assert Counter(p.split for p in first.problems) == wanted
    assert first.beyond_quota == 300
    assert len({p.question for p in second.problems}) == 100


def test_hash_ranges_are_proportional_to_the_quotas():
    quotas = {"heldout": 1, "validation": 1, "train": 2}
    assert [split_of(order, quotas) for order in (0.0, 0.24, 0.25, 0.49, 0.5, 0.99)] == [
        *("heldout", "heldout", "validation", "validation", "train", "train")
    ]
    assert order_of("What is $1+1$?") == order_of("what is  1+1")
    assert order_of("What is 1+1?") != order_of("What is 1-1?")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (source("gsm8k", "absent.jsonl"), "no such file"),
        (source("gsm8k", None), "needs a path"),
        (source("jsonl", "empty.jsonl"), "no problem is left for training of 0 rows"),
        (source("jsonl", "bad.jsonl"), "2 empty answer; first: .*bad.jsonl:1"),
        (source("jsonl", "MathVista/testmini.jsonl"), "is MathVista: .*scored, not trained on"),
        (source("jsonl", "rows.jsonl", families=("multipl-e",)), "is MultiPL-E"),
        (source("jsonl", "mmmu_pro_test_images/items.jsonl"), "is MMMU or MMMU-Pro"),
        (source("procedural", None, families=("sudoku",)), "unknown procedural family 'sudoku'"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_clear_error(tmp_path, given, message):
    (tmp_path / "empty.jsonl").write_text("")
    write(tmp_path / "bad.jsonl", [{"question": "q", "answer": ""}, {"question": "r", "answer": None}])
    with pytest.raises(DataError, match=message):
        load(given, setting(tmp_path))


def test_a_question_of_two_sources_stays_held_out(tmp_path):
    write(tmp_path / "a.jsonl", [{"id": str(n), "question": f"Number {n}?", "answer": "1"} for n in range(4)])
    loaded = load(source("jsonl", "a.jsonl"), setting(tmp_path)).problems
    held = loaded[0].model_copy(update={"id": "other", "split": "heldout", "question": loaded[0].question.upper()})
    kept, repeats = without_repeats([*loaded, held, loaded[1]])
    assert [finding.rule for finding in repeats] == ["duplicate question", "duplicate id"]
    assert held in kept
    assert loaded[0] not in kept
    assert len(kept) == 4


def test_the_same_words_about_another_picture_are_another_question(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    Image.new("RGB", (4, 4), "blue").save(tmp_path / "b.png")
    rows = [{"id": name, "question": "Which?", "answer": "1", "image": f"{name}.png"} for name in ("a", "b")]
    rows.append({"id": "c", "question": "Which?", "answer": "1", "image": "a.png"})
    write(tmp_path / "rows.jsonl", rows)
    loaded = load(source("jsonl", "rows.jsonl"), setting(tmp_path))
    assert len({question_digest(problem.question, problem.image) for problem in loaded.problems}) == len(loaded.problems) == 2
    assert [finding.rule for finding in loaded.excluded] == ["duplicate question"]


@pytest.mark.parametrize(
    ("first", "other", "verifier", "rule"),
    [
        ("5", "6", "integer", "contradictory answer"),
        ("5", "5.0", "math", "duplicate question"),
        ("1/2", "0.5", "math", "duplicate question"),
        ("New York", "new york", "text", "duplicate question"),
        ("New York", "Boston", "text", "contradictory answer"),
    ],
)
def test_one_question_with_two_answers_is_named_a_contradiction(tmp_path, first, other, verifier, rule):
    """Within a source and between two; the reason gives both answers."""
    rows = [
        {"id": f"{n}", "question": "How many?" + " " * n, "answer": answer, "verifier": verifier}
        for n, answer in enumerate((first, other))
    ]
    write(tmp_path / "rows.jsonl", rows)
    write(tmp_path / "other.jsonl", rows[1:])
    loads = [load(source("jsonl", name), setting(tmp_path)) for name in ("rows.jsonl", "other.jsonl")]
    problems = [problem.model_copy(update={"id": f"{n}"}) for n, one in enumerate(loads) for problem in one.problems]
    for (finding,) in (loads[0].excluded, without_repeats(problems)[1]):
        assert finding.rule == rule
        assert (repr(first) in finding.reason and repr(other) in finding.reason) or rule == "duplicate question"


def test_an_empty_split_that_was_asked_for_is_an_error(tmp_path):
    write(tmp_path / "rows.jsonl", [{"question": f"Number {n}?", "answer": "1"} for n in range(20)])
    given = source("jsonl", "rows.jsonl")
    problems = load(given, setting(tmp_path)).problems
    check_splits(problems, [given])
    with pytest.raises(DataError, match="no problem in split 'heldout', 3 wanted"):
        check_splits(problems, [given, source("jsonl", "rows.jsonl", heldout=3)])


def test_file_names_of_odd_ids_never_meet():
    assert file_name("tabmwp-12") == "tabmwp-12"
    assert file_name("a/b") != file_name("a_b")
    assert "/" not in file_name("../../etc")


def test_rows_of_every_verifier(tmp_path):
    """Gold answers that are JSON may stand as they are; what cannot be verified is named with its line."""
    asked = [{"instruction": "punctuation:no_comma"}]
    rows = [
        {"id": "a", "question": "Write.", "answer": asked, "verifier": "instructions", "solution": "Here it is."},
        {"id": "b", "question": "Write it.", "answer": json.dumps(asked), "verifier": "instructions"},
        {"id": "c", "question": "Explain.", "answer": "because of x", "verifier": "judge"},
        {"id": "d", "question": "Write more.", "answer": [{"instruction": "no:comma"}], "verifier": "instructions"},
        {"id": "e", "question": "Program.", "answer": {"tests": []}, "verifier": "code"},
        {"id": "f", "question": "Program more.", "answer": "6", "verifier": "code"},
        {"id": "g", "question": "Say why.", "answer": ["x"], "verifier": "judge"},
        {"id": "h", "question": "Say.", "answer": "x", "verifier": "oracle"},
    ]
    write(tmp_path / "rows.jsonl", rows)
    loaded = load(source("jsonl", "rows.jsonl"), setting(tmp_path))
    kept = {problem.id: problem for problem in loaded.problems}
    assert sorted(kept) == ["mine-a", "mine-b", "mine-c"]
    assert kept["mine-a"].answer == kept["mine-b"].answer == json.dumps(asked)
    assert (kept["mine-a"].solution_short, kept["mine-b"].solution_short) == ("Here it is.", None)
    assert kept["mine-c"].solution_short == "\\boxed{because of x}"
    reasons = {finding.id: f"{finding.rule}: {finding.reason}" for finding in loaded.excluded}
    assert reasons["mine-d"].startswith("unparseable answer: unknown instruction 'no:comma'; known are")
    assert reasons["mine-e"].endswith("and a list of tests that is not empty")
    assert reasons["mine-f"].endswith("and a list of tests that is not empty")
    unread = [finding.reason for finding in loaded.excluded if finding.rule == "malformed row"]
    assert unread == [
        "the field 'answer' is a list, expected text",
        "verifier is 'oracle', expected one of integer, math, text, choice, code, instructions, judge, reward_model",
    ]


def test_problems_for_a_judge_are_excluded_and_counted_where_there_is_none(tmp_path):
    rows = [{"id": name, "question": f"{name}?", "answer": "because of x", "verifier": "judge"} for name in "abc"]
    write(tmp_path / "rows.jsonl", [*rows, {"id": "d", "question": "2?", "answer": "2"}])
    problems = load(source("jsonl", "rows.jsonl"), setting(tmp_path)).problems
    assert judgeable(problems, judged=True) == (problems, [])
    kept, findings = judgeable(problems, judged=False)
    assert [problem.id for problem in kept] == ["mine-d"]
    assert sorted(finding.id for finding in findings) == ["mine-a", "mine-b", "mine-c"]
    assert {(finding.rule, finding.reason) for finding in findings} == {("no judge", NO_JUDGE)}
    with pytest.raises(DataError, match="no problem is left for training: 3 have the verifier 'judge', and no judge is configured"):
        judgeable([problem for problem in problems if problem.verifier == "judge"], judged=False)
