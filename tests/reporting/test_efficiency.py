"""Points of accuracy for 1,000 tokens, by hand, beside the report's own."""

import pytest
from synthetic_run import ACCURACY, TOKENS, evaluation

from stages.reporting.efficiency import FACTS, efficiency_table
from stages.reporting.evaluations import Evaluation
from stages.reporting.table_files import long_csv, markdown


def runs(*left_out: str) -> dict[str, Evaluation]:
    return {name: Evaluation.model_validate(evaluation(name)) for name in ACCURACY if name not in left_out}


def test_ours_by_hand() -> None:
    table = efficiency_table(runs(), {})
    assert [head.name for head in table.heads] == ["long RL", "short RL", "DPO", "merged", "merged + RS", "shortest RS"]
    line = next(line for line in table.lines if line.label.startswith("overall"))
    long, short = line.cells[:2]
    # 63% at 92 tokens, 61% at 51 tokens
    assert (ACCURACY["short_rl"], TOKENS["short_rl"]) == (0.61, 51)
    assert long.value == pytest.approx(1000 * 63 / 92)
    assert short.value == pytest.approx(1000 * 61 / 51)
    # 1.96 * sqrt(0.61 * 0.39 / 576) = 3.98 points: 57.02 to 64.98
    assert short.detail == ("[1118, 1274]", "61.0% at 51 tokens", "55% of the tokens, 97% of the accuracy")
    assert [cell.best for cell in line.cells] == [False, False, False, False, True, False], (
        "50% at 39 tokens: 1282; 47% at 37: 1270"
    )


def test_the_reports_by_hand() -> None:
    table = efficiency_table(runs(), {})
    line = next(line for line in table.lines if line.label.startswith("MATH-500"))
    # w/ rl 94.6 at 1197 tokens = 79.0; shortest 88.2 at 644 = 137.0
    assert [cell.text for cell in line.cells] == ["71", "79", "83", "104", "100", "137"]
    assert line.cells[1].detail == ("94.6% at 1197 tokens", "91% of the tokens, 101% of the accuracy")
    assert all(set(cell.facts) == set(FACTS) for line in table.lines for cell in line.cells)


def test_a_run_without_the_later_checkpoint_has_no_column_of_it() -> None:
    table = efficiency_table(runs("merged_rs"), {})
    assert "merged + RS" not in [head.name for head in table.heads]
    assert "points_per_1000_tokens" in long_csv(table, "points_per_1000_tokens")
    assert "AIME 2024 (the report)" in markdown(table)
