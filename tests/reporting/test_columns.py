"""Columns of other models: found, sorted to their table, and files at fault told in one line."""

from pathlib import Path
from typing import Any

import pytest
from synthetic_run import benchmark, column, evaluation, write_json

from stages.benchmarks.columns import table_of
from stages.data.files import DataError
from stages.reporting.columns import MEASURED, OWN, TABLES, own_columns, read_columns
from stages.reporting.evaluations import CHECKPOINTS, Benchmark, Evaluation, Missing


def test_ours_belong_to_the_table_of_their_kind() -> None:
    columns = own_columns({name: Evaluation.model_validate(evaluation(name)) for name in CHECKPOINTS})
    assert [(column.name, column.table) for column in columns] == [
        ("base", None), ("short SFT", 3), ("long SFT", 2), ("long RL", 2), ("merged", 3), ("merged + RS", 3),
        ("shortest RS", 3), ("DPO", 3),
        ("short RL", 3),
    ]  # fmt: skip
    assert {column.group for column in columns} == {OWN}


def test_checkpoints_are_evaluated_on_the_items_of_the_table_that_they_stand_in() -> None:
    assert {name: table_of(name) for name in CHECKPOINTS} == {name: TABLES.get(name) for name in CHECKPOINTS}


def test_no_folder_and_no_file_are_no_column(tmp_path: Path) -> None:
    assert read_columns(tmp_path / "none") == []
    (tmp_path / "README.md").write_text("nothing of ours")
    assert read_columns(tmp_path) == []


def test_the_folder_of_the_checkout_can_be_read() -> None:
    assert Path("stages/reporting/columns/README.md").exists()
    read_columns(Path("stages/reporting/columns"))


def test_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_json(tmp_path / "b.json", column("A", 2, math500=benchmark(0.5, 500, "MATH-500"), mmmu={"missing": "no pictures"}))
    write_json(tmp_path / "a.json", column("B", None) | {"settings": {"protocol": "long"}, "parameters": 7})
    write_json(tmp_path / "c.json", column("C", None) | {"settings": {"protocol": "short"}})
    write_json(tmp_path / "d.json", column("D", 2) | {"settings": {"protocol": "short"}})
    columns = read_columns(tmp_path)
    assert [(column.name, column.table, column.parameters) for column in columns] == [
        ("B", 2, 7), ("A", 2, None), ("C", 3, None), ("D", 2, None),
    ]  # fmt: skip
    assert {column.group for column in columns} == {MEASURED}
    assert isinstance(columns[1].benchmarks["math500"], Benchmark)
    assert isinstance(columns[1].benchmarks["mmmu"], Missing)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (column("A", None), r'x\.json: table: absent; write "table": 2 for a long-CoT model, 3 for a short-CoT one'),
        (column("A", 5), r"x\.json: table: Input should be 2 or 3; correct the file, or take it out of the folder"),
        (column("", 2), r"x\.json: checkpoint: .*at least 1 character"),
        (column("A", 2) | {"parameters": 0}, r"x\.json: parameters: "),
        (column("A", 2, math500={"accuracy": 0.5}), r"x\.json: benchmarks\.math500\.scored\.ci95: Field required"),
        (column("A", 2, math500=benchmark(0.5, 500, "M") | {"accuracy": 50.0}), r"math500\.scored\.accuracy: .*less than or"),
        (column("A", 2, gsm8k=benchmark(0.5, 9, "G")), r"x\.json: benchmarks: 'gsm8k' is none of tables 2 and 3"),
        (column("Kimi k1.5", 2), r"x\.json: checkpoint: table \d of the report has a column 'Kimi k1.5' already"),
        (column("DPO", 3), r"x\.json: checkpoint: this run has a column 'DPO' already; give it another name"),
        ([], r"x\.json: file: "),
    ],
)
def test_a_file_at_fault_is_named(tmp_path: Path, value: Any, message: str) -> None:
    write_json(tmp_path / "x.json", value)
    with pytest.raises(DataError, match=message) as error:
        read_columns(tmp_path)
    assert "\n" not in str(error.value)


def test_two_files_of_one_name_and_a_file_that_is_no_json(tmp_path: Path) -> None:
    for name in "ab":
        write_json(tmp_path / f"{name}.json", column("A", 2))
    with pytest.raises(DataError, match=r"b\.json: checkpoint: .*a\.json has a column 'A' already"):
        read_columns(tmp_path)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match=r"a\.json: not JSON"):
        read_columns(tmp_path)
