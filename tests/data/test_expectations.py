"""The gate: a sound set passes, each kind of damage turns it red and the failing row is named."""

import json
import re
from typing import get_args

import pytest
from made import made
from PIL import Image

from stages.data import expectations, profiles, suites
from stages.data.files import DataError
from stages.data.records import CuratedProblem, Demonstration
from stages.run.sections import SetLimit, WarmUpLimit


def problem(number, image=None):
    row = made(number, modality="image" if image else "text", image=image, solution_short=None)
    return CuratedProblem(**row.model_dump(), pass_rate=0.5)


def demonstration(number, image=None):
    return Demonstration(
        id=f"d{number}",
        problem_id=f"p{number}",
        family="sums",
        question="q",
        image=image,
        verifier="integer",
        response="First check. \\boxed{1}",
        response_ids=None,
        form="long",
        behaviours={"planning": 1},
    )


@pytest.fixture
def prompts(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    rows = [problem(number) for number in range(4)] + [problem(4, str(tmp_path / "a.png"))]
    return profiles.prompt_set_table(rows, {}, dropped_share=0.5)


@pytest.fixture
def demonstrations(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    rows = [demonstration(number) for number in range(4)] + [demonstration(4, str(tmp_path / "a.png"))]
    return profiles.demonstration_table(rows, ["right"] * 5, frozenset(f"p{number}" for number in range(5)))


PROMPT_SUITE = suites.prompt_set_suite(min_rows=5, max_dropped_share=0.9, modalities=["image", "text"])
DEMONSTRATION_SUITE = suites.demonstration_suite(min_rows=5, modalities=["image", "text"])


def test_sound_sets_pass_and_say_so_equally_each_time(prompts, demonstrations, tmp_path):
    expectations.check(prompts, PROMPT_SUITE, tmp_path, tmp_path / "docs")
    first = (tmp_path / "validation.json").read_bytes()
    expectations.check(prompts, PROMPT_SUITE, tmp_path, tmp_path / "docs")
    assert (tmp_path / "validation.json").read_bytes() == first
    assert json.loads(first)["success"] is True
    assert len(json.loads(first)["expectations"]) == len(PROMPT_SUITE.rules)
    expectations.check(demonstrations, DEMONSTRATION_SUITE, tmp_path, tmp_path / "docs")


PROMPT_DAMAGE = [
    ("id", 2, None, "ExpectColumnValuesToNotBeNull", "None|nan"),
    ("id", 2, "p1", "ExpectColumnValuesToBeUnique", "p1"),
    ("split", 2, "heldout", "ExpectColumnValuesToBeInSet", "p2"),
    ("verifier", 2, "regex", "ExpectColumnValuesToBeInSet", "p2"),
    ("grade", 2, 9, "ExpectColumnValuesToBeBetween", "p2"),
    ("pass_rate", 2, 1.5, "ExpectColumnValuesToBeBetween", "p2"),
    ("question_characters", 2, 0, "ExpectColumnValuesToBeBetween", "p2"),
    ("answer_characters", 2, 3000, "ExpectColumnValuesToBeBetween", "p2"),
    ("image_fault", 4, "the picture is broken", "ExpectColumnValuesToBeInSet", "p4"),
    ("answer_fault", 2, "no number", "ExpectColumnValuesToBeInSet", "p2"),
    ("licence", 2, None, "ExpectColumnValuesToNotBeNull", "p2"),
    ("modality", 4, "text", "ExpectColumnDistinctValuesToContainSet", "missing: image"),
    ("picture_mode", 4, "L", "ExpectColumnValuesToBeInSet", "p4"),
    ("picture_pixels", 4, 1e9, "ExpectColumnValuesToBeBetween", "p4"),
    ("picture_aspect", 4, 120.0, "ExpectColumnValuesToBeBetween", "p4"),
    ("template_loss", slice(None), 0.6, "ExpectColumnMaxToBeBetween", "0.6"),
    ("dropped_share", slice(None), 0.95, "ExpectColumnMaxToBeBetween", "0.95"),
]


@pytest.mark.parametrize(("column", "row", "value", "expectation", "named"), PROMPT_DAMAGE)
def test_damaged_prompt_sets_are_refused(prompts, tmp_path, column, row, value, expectation, named):
    prompts[column] = prompts[column].astype(object) if column not in ("dropped_share", "template_loss") else prompts[column]
    prompts.loc[row if isinstance(row, int) else prompts.index, column] = value
    with pytest.raises(DataError, match=f"(?s)not handed over.*{expectation}.*({named})"):
        expectations.check(prompts, PROMPT_SUITE, tmp_path, tmp_path / "docs")
    report = json.loads((tmp_path / "validation.json").read_text())
    assert report["success"] is False
    assert expectation in {row["expectation"] for row in report["expectations"] if not row["success"]}


DEMONSTRATION_DAMAGE = [
    ("id", 2, "d1", "ExpectColumnValuesToBeUnique", "d1"),
    ("in_prompt_set", 2, False, "ExpectColumnValuesToBeInSet", "d2"),
    ("form", 2, "short", "ExpectColumnValuesToBeInSet", "d2"),
    ("ends_boxed", 2, False, "ExpectColumnValuesToBeInSet", "d2"),
    ("verdict", 2, "wrong", "ExpectColumnValuesToBeInSet", "d2"),
    ("image_fault", 4, "the picture does not exist", "ExpectColumnValuesToBeInSet", "d4"),
    ("response_characters", 2, 0, "ExpectColumnValuesToBeBetween", "d2"),
    ("behaviours", slice(None), 0, "ExpectColumnMaxToBeBetween", "0"),
    ("modality", 4, "text", "ExpectColumnDistinctValuesToContainSet", "missing: image"),
]


@pytest.mark.parametrize(("column", "row", "value", "expectation", "named"), DEMONSTRATION_DAMAGE)
def test_damaged_demonstrations_are_refused(demonstrations, tmp_path, column, row, value, expectation, named):
    demonstrations.loc[row if isinstance(row, int) else demonstrations.index, column] = value
    with pytest.raises(DataError, match=f"(?s)not handed over.*{expectation}.*({named})"):
        expectations.check(demonstrations, DEMONSTRATION_SUITE, tmp_path, tmp_path / "docs")


@pytest.mark.parametrize(
    ("name", "bounds", "told"),
    [
        ("mean_pass_rate", [0.6, None], "ExpectColumnMeanToBeBetween.*0.5"),
        ("question_characters", [None, 10], "ExpectColumnValuesToBeBetween.*rows: p0"),
        ("median_question_characters", [1, 10], "ExpectColumnMedianToBeBetween.*14"),
        ("largest_domain_share", [0, 0.9], "ExpectColumnMaxToBeBetween.*1.0"),
        ("picture_share", [0.3, 0.7], "ExpectColumnMeanToBeBetween.*0.2"),
        ("picture_pixels", [100, None], "ExpectColumnValuesToBeBetween.*rows: p4"),
    ],
)
def test_limits_of_params_bound_the_distributions(prompts, tmp_path, name, bounds, told):
    suite = suites.prompt_set_suite(5, 0.9, ["image", "text"], {name: bounds})
    with pytest.raises(DataError, match=f"(?s)fails 1 of .*{told}"):
        expectations.check(prompts, suite, tmp_path, tmp_path / "docs")


def test_every_limit_of_params_has_its_rule():
    assert set(suites.SET_LIMITS) == set(get_args(SetLimit))
    assert set(suites.DEMONSTRATION_LIMITS) == set(get_args(WarmUpLimit))
    assert len(suites.prompt_set_suite(1, 1.0, [], {"picture_share": [None, None]}).rules) == len(PROMPT_SUITE.rules) - 1


def test_gold_answers_that_are_tests_may_be_long(tmp_path):
    rows = [problem(0), problem(1).model_copy(update={"verifier": "code", "answer": "x" * 5000})]
    table = profiles.prompt_set_table(rows, {}, 0.0)
    expectations.check(table, suites.prompt_set_suite(1, 0.9, ["text"]), tmp_path, tmp_path / "docs")


def test_data_docs_are_one_page_that_needs_nothing_else(prompts, tmp_path):
    prompts.loc[2, "grade"] = 9
    prompts.loc[3, "source"] = "<script>alert(1)</script>"
    for folder in ("one", "two"):
        with pytest.raises(DataError, match=r"all of them: .*/docs/index\.html, .*validation\.json"):
            expectations.check(prompts, PROMPT_SUITE, tmp_path, tmp_path / folder / "docs")
    page = (tmp_path / "one/docs/index.html").read_text()
    assert [path.name for path in (tmp_path / "one/docs").iterdir()] == ["index.html"]
    assert page == (tmp_path / "two/docs/index.html").read_text()
    assert not re.search(r"https?:|src=|<link|<script|@import", page)
    words = " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())
    assert f"Evaluated Expectations {len(PROMPT_SUITE.rules)}" in words
    assert "grade Status Expectation Observed Value values must be greater than or equal to 0.0" in words
    assert "1 unexpected values found. 20% of 5 total rows" in words
    assert "9 1 p2" in words, "value, count, id"
    assert "mean must be greater than or equal to 0.0 and less than or equal to 1.0 . 0.5" in words


def test_too_few_rows_and_a_missing_column(prompts, tmp_path):
    with pytest.raises(DataError, match=r"ExpectTableRowCountToBeBetween.*4"):
        expectations.check(prompts.iloc[:4], PROMPT_SUITE, tmp_path, tmp_path / "docs")
    with pytest.raises(DataError, match=r"(?s)ExpectTableColumnsToMatchSet.*pass_rate.*the column is missing"):
        expectations.check(prompts.drop(columns="pass_rate"), PROMPT_SUITE, tmp_path, tmp_path / "docs")


def test_many_failing_rows_are_counted(tmp_path):
    table = profiles.prompt_set_table([problem(number) for number in range(50)], {}, 0.0)
    table["grade"] = 9
    with pytest.raises(DataError, match=r"rows: p0, .*, p19 and 30 more"):
        expectations.check(table, suites.prompt_set_suite(1, 0.9, ["text"]), tmp_path, tmp_path / "docs")


def test_an_empty_table_fails(prompts, tmp_path):
    with pytest.raises(DataError, match=r"ExpectTableRowCountToBeBetween"):
        expectations.check(prompts.iloc[:0], PROMPT_SUITE, tmp_path, tmp_path / "docs")
