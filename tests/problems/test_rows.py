"""Rows of every kind of source: files with their lines, Parquet with pictures inside, a data set that `datasets` loads."""

import gzip
import io
import json
from pathlib import Path

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from stages.data.files import DataError
from stages.problems.drafts import RowError
from stages.problems.rows import BATCH, mapped, scan, scan_hub
from stages.problems.sources import Setting, load
from stages.run.collecting import Source

COLUMNS = {"question": "prompt", "answer": "target"}


def source(kind: str, path: str, **more: object) -> Source:
    fields = {"kind": kind, "families": ["mine"], "train": 20, "validation": 0, "heldout": 0, "path": path}
    return Source.model_validate({**fields, **more})


def setting(folder: Path) -> Setting:
    return Setting(folder, folder / "images", 10_000, seed=0, workers=1)


def png(size: tuple[int, int] = (30, 20), color: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def test_cells_of_csv_stand_at_the_line_where_their_row_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,prompt,target\n1,"two\nlines",4\n\n2,one,\n3,short\n4,caf\xe9,5\n5,"a ""b""",6\n')
    found = {where.rpartition(":")[2]: row for where, row in scan(path)}
    assert list(found) == ["2", "5", "6", "7", "8"]
    assert found["2"] == {"id": "1", "prompt": "two\nlines", "target": "4"}
    assert found["5"] == {"id": "2", "prompt": "one", "target": None}, "an empty cell is null"
    assert str(found["6"]) == "2 cells, the header has 3"
    assert str(found["7"]) == "not UTF-8"
    assert found["8"] == {"id": "5", "prompt": 'a "b"', "target": "6"}


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n"])
def test_a_csv_without_a_usable_header_is_one_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=r"a\.csv:1: expected a header of different column names"):
        list(scan(tmp_path / "a.csv"))


def test_packed_lines_and_tabs(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n[]\n'))
    assert next(row for _, row in scan(tmp_path / "a.jsonl.gz")) == {"a": 1}
    (tmp_path / "a.tsv").write_text("a\tb\n1\t2, 3\n")
    assert list(scan(tmp_path / "a.tsv")) == [(f"{tmp_path}/a.tsv:2", {"a": "1", "b": "2, 3"})]


def test_parquet_in_batches_and_no_parquet(tmp_path: Path) -> None:
    table = pyarrow.table({"prompt": [f"{n}?" for n in range(BATCH + 3)], "target": list(range(BATCH + 3))})
    parquet.write_table(table, tmp_path / "a.parquet")
    rows = list(scan(tmp_path / "a.parquet"))
    assert len(rows) == BATCH + 3
    assert rows[-1] == (f"{tmp_path}/a.parquet:{BATCH + 3}", {"prompt": f"{BATCH + 2}?", "target": BATCH + 2})
    (tmp_path / "b.parquet").write_text("no parquet")
    with pytest.raises(DataError, match=r"b\.parquet: not a readable Parquet file"):
        list(scan(tmp_path / "b.parquet"))


def test_columns_become_fields_and_constants_join_them() -> None:
    rows = iter([("a:1", {"prompt": "p", "target": "t", "rest": 1}), ("a:2", {"prompt": "q"}), ("a:3", RowError("x", "y"))])
    first, second, third = (row for _, row in mapped(rows, COLUMNS, {"licence": "MIT"}))
    assert first == {"question": "p", "answer": "t", "licence": "MIT"}
    assert str(second) == "no column 'target'; columns: prompt"
    assert str(third) == "y"
    assert list(mapped(iter([("a:1", {"question": "p"})]), {}, {"grade": 3})) == [("a:1", {"question": "p", "grade": 3})]


def test_csv_becomes_problems_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,prompt,target,hard\n1,What is 3 + 4?,7,2\n2,What is 3 + 5?,,2\n3,What is 9 + 9?,18,many\n")
    given = source("csv", "a.csv", columns={**COLUMNS, "id": "n", "grade": "hard"}, values={"licence": "MIT", "domain": "sums"})
    loaded = load(given, setting(tmp_path))
    (problem,) = loaded.problems
    assert (problem.id, problem.answer, problem.verifier, problem.grade) == ("mine-1", "7", "integer", 2)
    assert (problem.licence, problem.domain) == ("MIT", "sums")
    assert [(finding.where.rpartition(":")[2], finding.rule) for finding in loaded.excluded] == [
        ("3", "empty answer"),
        ("4", "malformed row"),
    ]


def test_pictures_inside_parquet_become_files(tmp_path: Path) -> None:
    pictures = [{"bytes": png(), "path": None}, {"bytes": b"no picture", "path": None}, {"bytes": png((400, 100)), "path": "x.png"}]
    table = pyarrow.table({"prompt": ["a 1?", "b 2?", "c 3?"], "target": [1, 2, 3], "image": pictures})
    parquet.write_table(table, tmp_path / "a.parquet")
    loaded = load(source("parquet", "a.parquet", columns={**COLUMNS, "image": "image"}), setting(tmp_path))
    sizes = {}
    for problem in loaded.problems:
        with Image.open(str(problem.image)) as picture:
            sizes[problem.answer] = picture.size
    assert sizes == {"1": (30, 20), "3": (200, 50)}, "the larger one is scaled to 10,000 pixels"
    assert all(problem.modality == "image" for problem in loaded.problems)
    assert [finding.rule for finding in loaded.changed] == ["resized"]
    (finding,) = loaded.excluded
    assert finding.reason.startswith("the picture inside the row: the picture is broken")
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["mine-a-1.png", "mine-a-3.png"], "nothing is left over"


def test_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt,goal\nWhat?,7\n")
    with pytest.raises(DataError, match=r"1 malformed row; first: .*a\.csv:2: no column 'target'; columns: prompt, goal"):
        load(source("csv", "a.csv", columns=COLUMNS), setting(tmp_path))


def test_a_data_set_that_datasets_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows = {"prompt": ["What is 1 + 1?", "What is 2 + 2?"], "target": ["2", "4"], "picture": [Image.new("RGB", (8, 8)), None]}
    features = datasets.Features(
        {"prompt": datasets.Value("string"), "target": datasets.Value("string"), "picture": datasets.Image()}
    )
    (tmp_path / "set/data").mkdir(parents=True)
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "set/data/test-00000-of-00001.parquet")
    given = source("hub", "set", split="test", columns={**COLUMNS, "image": "picture"}, values={"licence": "MIT"})
    problems = load(given, setting(tmp_path)).problems
    assert {(problem.id, problem.answer, problem.modality) for problem in problems} == {
        ("mine-test-1", "2", "image"),
        ("mine-test-2", "4", "text"),
    }
    with pytest.raises(DataError, match=r"data set .*/set' \(subset None, split 'dev', revision None\): ValueError: Unknown split"):
        load(source("hub", "set", split="dev", columns=COLUMNS), setting(tmp_path))


def test_a_data_set_of_the_hub_needs_its_commit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'owner/name' is no folder under .*, and a data set of the hub needs the commit"):
        load(source("hub", "owner/name"), setting(tmp_path))
    with pytest.raises(DataError, match="is MathVista"):
        load(source("hub", "AI4Math/MathVista", revision=40 * "0"), setting(tmp_path))


def test_a_published_form_in_another_file(tmp_path: Path) -> None:
    """The kind names the form of the rows, the suffix the form of the file."""
    table = pyarrow.table({"question": ["Two and two?"], "answer": ["2 + 2 = <<2+2=4>>4\n#### 4"]})
    parquet.write_table(table, tmp_path / "train.parquet")
    for given in (source("gsm8k", "train.parquet"), source("parquet", "train.parquet", adapter="gsm8k")):
        (problem,) = load(given, setting(tmp_path)).problems
        assert (problem.answer, problem.source) == ("4", "gsm8k")


def test_a_row_of_the_hub_may_be_code_with_tests(tmp_path: Path) -> None:
    gold = json.dumps({"tests": []})
    (tmp_path / "a.csv").write_text(f'prompt,target\nWrite it.,"{gold.replace(chr(34), 2 * chr(34))}"\n')
    with pytest.raises(DataError, match="a list of tests that is not empty"):
        load(source("csv", "a.csv", columns=COLUMNS, values={"verifier": "code"}), setting(tmp_path))


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (BOM + b'{"a": 1}\r\n{"a": 2}\r\n', ["1", "2"]),
        (BOM + b'\n{"a": 1}\n', ["2"]),
        (b'{"a": 1}\n' + BOM + b'{"a": 2}\n', ["1", "2"]),
        (BOM, []),
    ],
    ids=["before the first row", "alone on a line", "where two files were joined", "and nothing else"],
)
def test_a_byte_order_mark_is_no_part_of_a_row(tmp_path: Path, content: bytes, numbers: list[str]) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    found = list(scan(tmp_path / "a.jsonl"))
    assert [where.rpartition(":")[2] for where, _ in found] == numbers
    assert not any(isinstance(row, RowError) for _, row in found)


def kept(tmp_path: Path, lines: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Answers and verifiers of the rows that are kept, and the rules by which others are not."""
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    loaded = load(source("jsonl", "a.jsonl"), setting(tmp_path))
    return {problem.answer: problem.verifier for problem in loaded.problems}, [(one.rule, one.where) for one in loaded.excluded]


def test_numbers_and_truth_values_are_answers_and_what_is_no_number_is_none(tmp_path: Path) -> None:
    values = ["7", "7.0", "1e-05", "1e22", "true", "false", "NaN", "Infinity", "-Infinity", "null", "[1]"]
    rows = "".join(f'{{"question": "What is number {place}?", "answer": {value}}}\n' for place, value in enumerate(values))
    answers, excluded = kept(tmp_path, rows)
    assert answers == {"7": "integer", "7.0": "integer", "1e-05": "math", "1e+22": "math", "true": "text", "false": "text"}
    rules = sorted(rule for rule, _ in excluded)
    assert rules == ["empty answer"] * 4 + ["malformed row"]


@pytest.mark.parametrize(
    ("images", "rule"),
    [
        ([{"bytes": png(), "path": None}], None),
        ([png()], None),
        ({"bytes": png(), "path": "a.png"}, None),
        ([{"bytes": png(), "path": None}] * 2, "several pictures"),
    ],
    ids=["list of one", "list of bytes", "object", "two"],
)
def test_one_picture_may_stand_in_a_list_and_its_mark_in_the_question(tmp_path: Path, images: object, rule: str | None) -> None:
    table = pyarrow.Table.from_pylist([{"images": images, "problem": "<image>Find x.", "answer": "3"}])
    parquet.write_table(table, tmp_path / "geo.parquet")
    columns = {"question": "problem", "answer": "answer", "image": "images"}
    if rule is not None:
        with pytest.raises(DataError, match=rule):
            load(source("parquet", "geo.parquet", columns=columns), setting(tmp_path))
        return
    (problem,) = load(source("parquet", "geo.parquet", columns=columns), setting(tmp_path)).problems
    assert (problem.question, problem.modality, problem.verifier) == ("Find x.", "image", "integer")


def test_a_mark_without_a_picture_is_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "What does <image> mean in HTML?", "answer": "3"}\n')
    (problem,) = load(source("jsonl", "a.jsonl"), setting(tmp_path)).problems
    assert problem.question == "What does <image> mean in HTML?"


def test_a_list_of_pictures_of_a_data_set_keeps_its_bytes(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"images": datasets.Sequence(datasets.Image()), "n": datasets.Value("int64")})
    made = datasets.Dataset.from_dict({"images": [[{"bytes": png(), "path": None}]], "n": [1]}, features=features)
    made.to_parquet(str(tmp_path / "train.parquet"))
    ((_, row),) = list(scan_hub(str(tmp_path), None, None, "train"))
    assert isinstance(row, dict)
    assert row["images"][0]["bytes"][:4] == b"\x89PNG"
