"""Two files of verdicts on the same items: the difference by hand, items of one file only, and files that are none."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks.comparison import compare_files, compared, read_verdicts
from stages.data.files import DataError


def write(path: Path, rights: dict[str, list[bool]]) -> Path:
    rows = [{"id": name, "sample": n, "correct": right} for name, found in rights.items() for n, right in enumerate(found)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_difference_by_hand(tmp_path: Path) -> None:
    """Ten problems, three gained and one lost: 20 points; the interval is that of test_statistics: 1/6 +- 0.35283."""
    first = {str(n): [n >= 3] for n in range(10)}
    second = {str(n): [n != 3] for n in reversed(range(10))}
    found = compare_files(write(tmp_path / "a", first), write(tmp_path / "b", second))
    assert found.items() >= {
        "first": str(tmp_path / "a"), "second": str(tmp_path / "b"), "first_score": 70.0, "second_score": 90.0,
        "difference": 20.0, "ci95": [-18.62, 51.95], "gained": 3, "lost": 1, "n": 10, "k": [1, 1],
        "only_first": 0, "only_second": 0,
    }.items()  # fmt: skip
    # Differences 1, 1, 1, -1 and six zeros: variance (4 - 10 * 0.04) / 9 = 0.4, over ten 0.04, root 0.2.
    assert found["stderr"] == 20.0


def test_the_item_is_the_unit_whatever_its_samples(tmp_path: Path) -> None:
    """Means 1/2, 1 and 1, 1/4: changes +1/2 and -3/4; the samples of an item may stand anywhere in the file."""
    rows = [("x", 1, False), ("y", 0, True), ("x", 0, True)]
    (tmp_path / "a").write_text("".join(json.dumps({"id": i, "sample": s, "correct": c}) + "\n" for i, s, c in rows))
    assert read_verdicts(tmp_path / "a") == {"x": [True, False], "y": [True]}
    second = write(tmp_path / "b", {"x": [True], "y": [True, False, False, False]})
    found = compare_files(tmp_path / "a", second)
    assert (found["difference"], found["gained"], found["lost"], found["k"]) == (-12.5, 1, 1, [2, 4])


def test_items_of_one_file_alone_are_named_not_compared() -> None:
    found = compared({"a": [True], "b": [False], "c": [True]}, {"b": [True], "c": [True], **{f"d{n}": [True] for n in range(25)}})
    assert (found["n"], found["difference"], found["only_first_ids"], found["only_second"]) == (2, 50.0, ["a"], 25)
    assert found["only_second_ids"] == [f"d{n}" for n in range(20)]


@pytest.mark.parametrize(
    "row, message",
    [
        ({"id": "a"}, r"a: row 1 has no id, sample and correct \(true or false\); its fields are id; give a file that `k15"),
        ({"id": "a", "correct": "yes"}, "row 1 has no id, sample and correct"),
        ({"id": None, "correct": True}, "row 1 has no id"),
        ({"id": "a", "correct": True, "sample": "0"}, "row 1 has no id, sample"),
        (None, "it has no rows"),
        ({"id": "z", "correct": True}, "have no item in common"),
    ],
)
def test_files_that_cannot_be_compared(tmp_path: Path, row: dict[str, Any] | None, message: str) -> None:
    (tmp_path / "a").write_text("" if row is None else json.dumps(row))
    with pytest.raises(DataError, match=message):
        compare_files(tmp_path / "a", write(tmp_path / "b", {"a": [True]}))


def test_a_sample_that_comes_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(2 * (json.dumps({"id": "x", "sample": 0, "correct": True}) + "\n"))
    with pytest.raises(DataError, match="row 2: sample 0 of 'x' occurs twice"):
        read_verdicts(tmp_path / "a")
