"""The report's comparisons, computed: which add up, which do not, and the same for measured columns."""

import pytest
from synthetic_run import benchmark

from stages.reporting import claims
from stages.reporting.claims import claims_table, length_verdict
from stages.reporting.columns import Column
from stages.reporting.evaluations import Benchmark
from stages.reporting.published import published
from stages.reporting.table_files import long_csv
from stages.reporting.tables import Cell, Table


def cells(table: Table, label: str) -> tuple[Cell, ...]:
    return next(line.cells for line in table.lines if line.label == label)


def test_the_largest_gain_of_the_abstract() -> None:
    """60.8 / 9.3 - 1 = 5.5376: the "+550%" of the report, rounded down to tens."""
    table = claims_table(3, [])
    (cell,) = cells(table, "AIME 2024 against GPT-4o 0513 (9.3)")
    assert (cell.text, cell.detail) == ("+553.8%", ("score 60.8", "+51.5 points"))
    assert cell.facts == {"score": "60.8", "rival_score": "9.3", "points": "51.50"}
    assert table.notes[0].endswith(
        "It adds up: the largest gain is +553.8% (AIME 2024 against GPT-4o 0513), the smallest +20.8% (MATH-500 against "
        "Claude-3.5-Sonnet-1022)."
    )


def test_a_gain_that_is_not_there_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = published()
    said = [claim.model_copy(update={"stated": 600.0}) if claim.stated else claim for claim in facts.claims]
    monkeypatch.setattr(claims, "published", lambda: facts.model_copy(update={"claims": said}))
    assert "It does not add up: the largest gain is +553.8%" in claims_table(3, []).notes[0]


def test_what_is_said_of_o1_holds_where_it_is_said() -> None:
    """77.5, 96.2, 94 and 74.9 against 74.4, 94.8, 94 and 71.0; LiveCodeBench 62.5 against 67.2, MMMU 70.0 against 77.3."""
    named, others, *_ = claims_table(2, []).notes
    assert named.endswith("It adds up: no rival is above.")
    assert others.endswith("LiveCodeBench against OpenAI o1 -4.7 points; MMMU-Val against OpenAI o1 -7.3 points.")
    assert claims_table(3, []).notes[1].endswith("It adds up: no rival is above.")


def test_the_statements_of_section_3_2() -> None:
    """94.6 / 74.6 = 1.2681 and 94.6 / 73.8 = 1.2818; o1 is above in LiveCodeBench and MMMU, QVQ in MMMU."""
    gain, ceval, superior = claims_table(3, []).notes[2:5]
    assert "It adds up: the largest gain is +26.8% (MATH-500 against GPT-4o 0513)" in gain
    assert gain.endswith("Of the models that it does not name, LLaMA-3.1 405B-Inst. is further below: +28.2%.")
    assert ceval.endswith("It adds up: no rival is above.")
    assert "It does not add up: MMLU against LLaMA-3.1 405B-Inst. -1.2 points" in superior
    vision, aime, everywhere = claims_table(2, []).notes[2:5]
    assert vision.endswith("It adds up: no rival is above.")
    assert aime.endswith("It adds up: no rival is above.")
    assert everywhere.endswith(
        "It does not add up: LiveCodeBench against OpenAI o1 -4.7 points; MMMU-Val against QVQ-72B Preview -0.3 points; "
        "MMMU-Val against OpenAI o1 -7.3 points."
    )


def test_lengths_are_those_of_figure_7() -> None:
    """644 tokens against 1405, 630, 422 and 529."""
    tokens, alike = map(length_verdict, published().length_claims)
    assert tokens.endswith("It does not add up: the point in figure 7 is at 3,257 tokens (-0.5%).")
    assert "It adds up for Qwen2.5-72B-Inst only: in figure 7 it is at 644 tokens, -54% to DeepSeek-V3 (1,405), +2% to" in alike
    assert claims_table(3, []).notes[-2:] == (tokens, alike)


def test_measured_columns_are_compared_with_the_same_rivals() -> None:
    """46.5 is five times 9.3: 400% above."""
    scores = {"aime2024": Benchmark.model_validate(benchmark(0.465, 30, "AIME 2024", k=20))}
    table = claims_table(3, [Column("Other", "g", 3, None, scores), Column("Long", "g", 2, None, scores)])
    theirs, other = cells(table, "AIME 2024 against GPT-4o 0513 (9.3)")
    assert (other.text, other.detail) == ("+400.0%", ("score 46.5", "+37.2 points"))
    assert cells(table, "MATH-500 against GPT-4o 0513 (74.6)")[1].reason == "not evaluated here"
    assert "AIME 2024 against GPT-4o 0513 (9.3),Other,,+400.0,46.5,9.3,37.20,0,\n" in long_csv(table, "percent_above_rival")
    assert theirs.text == "+553.8%"


def test_rows_come_once_and_in_the_order_of_the_table() -> None:
    labels = [line.label for line in claims_table(3, []).lines]
    assert len(labels) == len(set(labels))
    titles = [row.title for row in published().table(3).rows]
    assert list(dict.fromkeys(label.split(" against")[0] for label in labels)) == titles
