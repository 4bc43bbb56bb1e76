"""The adapters of published formats: one golden case a row of tests/cases/published_rows.jsonl."""

import json
from pathlib import Path

import pytest

from stages.problems.drafts import RowError
from stages.problems.rows import scan
from stages.problems.sources import ADAPTERS

CASES = [json.loads(line) for line in Path("tests/cases/published_rows.jsonl").read_text().splitlines()]
READERS = {**ADAPTERS, "jsonl": ADAPTERS["own"]}


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_row(case):
    read_row = READERS[case["kind"]]
    if "error" in case:
        with pytest.raises(RowError) as error:
            read_row(case["row"], "mine")
        assert error.value.rule == case["error"]
        assert str(error.value)
    else:
        draft = read_row(case["row"], "mine")
        assert {name: getattr(draft, name) for name in case["expect"]} == case["expect"]


def test_scan_names_every_bad_line(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"a": 1}\n\n{"a": \n[1]\n\xff\xfe\n' + b"[" * 100_000 + b"\n")
    found = list(scan(file))
    assert [where.rpartition(":")[2] for where, _ in found] == ["1", "3", "4", "5", "6"]
    assert found[0][1] == {"a": 1}
    assert all(isinstance(row, RowError) and row.rule == "malformed row" for _, row in found[1:])
    assert "column" in str(found[1][1])
    assert "found list" in str(found[2][1])
    assert "UTF-8" in str(found[3][1])


def test_scan_reads_the_published_object_of_tabmwp(tmp_path):
    file = tmp_path / "problems.json"
    file.write_text('{"12": {"question": "q"}, "13": 5}')
    rows = dict(scan(file))
    assert rows[f"{file}:12"] == {"id": "12", "question": "q"}
    assert isinstance(rows[f"{file}:13"], RowError)
