"""Multiple choice becomes a free answer only where the question stands by itself and the answer is a number or a formula."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stages.problems import jsonl
from stages.problems.free_answers import freed, options_of
from stages.problems.sources import Setting, load
from stages.run.collecting import Source

ROW = {"question": "What is 3 + 4?\n(A) 6\n(B) 7", "answer": "B", "verifier": "choice"}


@pytest.mark.parametrize(
    ("question", "answer", "free"),
    [
        ("What is 3 + 4?\n(A) 6\n(B) 7", "B", ("What is 3 + 4?", "7", "integer")),
        ("What is 3 + 4? (A) 6 (B) 7 (C) 8", "(B)", ("What is 3 + 4?", "7", "integer")),
        ("How much is half?\nA. $\\frac{1}{2}$\nB. 2", "A", ("How much is half?", "\\frac{1}{2}", "math")),
        ("How many are there?\nChoices: 1,200; 300", "1,200", ("How many are there?", "1200", "integer")),
        ("Which of the following is prime?\n(A) 6\n(B) 7", "B", None),
        (
            "Look at the following sum. What is 3 + 4?\n(A) 6\n(B) 7",
            "B",
            ("Look at the following sum. What is 3 + 4?", "7", "integer"),
        ),
        ("Find q and w.\n(A) 6\n(B) 7", "B", None),
        ("Which number is prime?\n(A) 6\n(B) 7", "B", None),
        ("What could x be?\n(A) 6\n(B) 7", "B", None),
        ("What is the mode?\n(A) 6\n(B) none of these", "A", None),
        ("Is it linear?\nChoices: linear; nonlinear", "linear", None),
        ("What color has the sky?\n(A) blue\n(B) green", "A", None),
        ("How long?\n(A) 3 hours\n(B) 4 hours", "A", None),
        ("What is it?\n(A) 6\n(B) 6", "B", None),
        ("What is 3 + 4?\n(A) 6\n(C) 7", "C", None),
        ("What is 3 + 4?", "7", None),
        ("Let A. be a point. What is 3 + 4? (B) 6 (C) 7", "C", None),
    ],
)
def test_what_becomes_free(question: str, answer: str, free: tuple[str, str, str] | None) -> None:
    draft = jsonl.read_row({"question": question, "answer": answer, "verifier": "choice"}, "mine")
    found = freed(draft)
    assert (found is not None) is (free is not None)
    if found is not None:
        assert (found[0].question, found[0].answer, found[0].verifier) == free
        assert found[0].solution_short == f"\\boxed{{{found[0].answer}}}"


def test_a_solution_that_boxes_the_letter_is_left_out() -> None:
    draft = replace(jsonl.read_row(ROW, "mine"), solution_long="3 + 4 = 7, so \\boxed{B}")
    assert freed(draft)[0].solution_long is None  # type: ignore[index]
    told = freed(replace(draft, solution_long="3 + 4 = 7."))
    assert told is not None
    assert told[0].solution_long == "3 + 4 = 7.\nThe answer is \\boxed{7}."


def test_options_end_with_the_question() -> None:
    assert options_of("x (A) 1, (B) 2, (C) 3") == ("x", ["1", "2", "3"])
    assert options_of("(A) 1 (B) 2") is None, "no question before them"


def test_the_source_asks_for_it_and_each_change_is_listed(tmp_path: Path) -> None:
    rows = [{"id": "n", **ROW}, {"id": "w", "question": "Which color?\n(A) blue\n(B) red", "answer": "A", "verifier": "choice"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"kind": "jsonl", "families": ["mine"], "train": 9, "validation": 0, "heldout": 0, "path": "a.jsonl"}
    setting = Setting(tmp_path, tmp_path / "images", 10_000, seed=0, workers=1)
    asked = load(Source.model_validate({**given, "free_answer": True}), setting)
    assert {problem.id: problem.verifier for problem in asked.problems} == {"mine-n": "integer", "mine-w": "choice"}
    (change,) = asked.changed
    assert (change.id, change.rule) == ("mine-n", "free answer")
    assert change.reason == "2 options taken away; the answer 'B' is now '7'"
    assert {problem.verifier for problem in load(Source.model_validate(given), setting).problems} == {"choice"}
