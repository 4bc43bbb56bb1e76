"""Scoring of a file of responses: what counts, what does not match, what is refused, and that equal input gives equal bytes."""

import hashlib
import json
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scoring import Scored, score_file
from stages.data.files import DataError

AIME, CEVAL = BENCHMARKS["aime2024"], BENCHMARKS["ceval"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four problems whose answers are 0 to 3."""
    folder = tmp_path / "bench/aime2024"
    folder.mkdir(parents=True)
    (folder / "test.jsonl").write_text("".join(json.dumps({"id": n, "problem": f"{n}?", "answer": n}) + "\n" for n in range(4)))
    return tmp_path / "bench"


def scored(data: Path, rows: list[dict[str, Any]], **changes: Any) -> Scored:
    path = data.parent / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return score_file(replace(AIME, **changes), data, path, 1)


def box(answer: object) -> str:
    return f"\\boxed{{{answer}}}"


def test_the_result_by_hand(data: Path) -> None:
    """0 right, 1 wrong, 2 null, 3 missing: 25%."""
    rows = [{"id": 0, "response": box(0)}, {"id": 1, "response": box(9)}, {"id": 2, "response": None}]
    found = scored(data, rows)
    assert found.result.items() >= {
        "benchmark": "aime2024", "metric": "Pass@1", "score": 25.0, "n": 4, "k": 1, "errors": 0, "unparsed": 1, "responses": 3,
        "missing": 1, "missing_ids": ["3"], "duplicates": 0, "unmatched": 0, "score_of_given": 33.33,
    }.items()  # fmt: skip
    assert found.result["stderr"] == 25.0, "values 1 0 0 0: variance 1/4, over four problems 1/16"
    assert found.result["ci95"][0] < 25 < found.result["ci95"][1]
    assert [(row["id"], row["sample"], row["correct"], row["extracted"]) for row in found.verdicts] == [
        (0, 0, True, "0"), (1, 0, False, "9"), (2, 0, False, None),
    ]  # fmt: skip
    assert [row["item"] for row in found.verdicts] == ["0", "1", "2"]
    assert all(row["reason"] for row in found.verdicts)


def test_k_samples_in_a_list_or_in_rows(data: Path) -> None:
    """Means 1, 1/2, 0, 0 of k = 2: 37.5; pass@2 = 1/2."""
    lists = [
        {"id": 0, "response": [box(0), box(0)]}, {"id": 1, "response": [box(9), box(1)]},
        {"id": 2, "response": ["", None]}, {"id": 3, "response": [box(9), box(9)]},
    ]  # fmt: skip
    rows = [{"question_id": row["id"], "sample": n, "response": row["response"][n]} for row in lists for n in (1, 0)]
    first, second = scored(data, lists), scored(data, rows)
    assert first == second
    assert (first.result["score"], first.result["k"], first.result["pass_at"]) == (37.5, 2, {"1": 37.5, "2": 50.0})


def test_lengths_and_cuts_where_the_rows_give_them(data: Path) -> None:
    """Tokens 10, 20, 30, 40: mean 25, 95th percentile 40 - 0.15 * 10 = 38.5; one of four is cut."""
    rows: list[dict[str, Any]] = [
        {"id": 0, "response": [box(0), box(1)], "tokens": [10, 20], "finish": ["stop", "length"]},
        {"id": 1, "sample": 0, "response": box(1), "tokens": 30, "finish": "stop"},
        {"id": 1, "sample": 1, "response": "x", "tokens": 40, "finish": "stop"},
    ]
    found = scored(data, rows).result
    assert found.items() >= {
        "truncated": 1, "truncated_share": 25.0, "mean_tokens": 25.0, "p95_tokens": 38.5, "unparsed": 1, "unparsed_share": 25.0,
    }.items()  # fmt: skip
    for change in ({"tokens": None, "finish": None}, {"tokens": [1], "finish": 7}, {"tokens": ["a", "b"], "finish": ["a"]}):
        found = scored(data, [{**rows[0], **change}, *rows[1:]]).result
        unknown = [found[name] for name in ("truncated", "truncated_share", "mean_tokens", "p95_tokens")]
        assert unknown == [None] * 4, "not of some of the responses"


def test_the_result_names_data_and_scorer(data: Path) -> None:
    found = scored(data, [{"id": 0, "response": box(0)}]).result
    content = (data / "aime2024/test.jsonl").read_bytes()
    assert found["data"] == {"files": 1, "sha256": hashlib.sha256(content).hexdigest(), "as_checked": False}
    assert found["scorer"]["sympy"] == metadata.version("sympy")


def test_different_numbers_of_samples_are_told(data: Path) -> None:
    found = scored(data, [{"id": n, "response": [box(n)] * (n + 1)} for n in range(4)])
    assert (found.result["score"], found.result["k"], found.result["k_least"]) == (100.0, 4, 1)
    assert "pass_at" not in found.result


def test_rows_that_do_not_match_are_counted_and_named(data: Path) -> None:
    rows = [
        {"id": 0, "response": box(0)}, {"id": 0, "response": box(9)}, {"id": 17, "response": box(1)},
        {"answer": 3, "response": box(1)}, {"id": 1, "sample": 0, "response": box(1)}, {"id": 1, "sample": 0, "response": box(9)},
    ]  # fmt: skip
    found = scored(data, rows).result
    assert (found["duplicates"], found["duplicates_ids"]) == (2, ["0", "1"])
    assert (found["unmatched"], found["unmatched_ids"]) == (2, ["17", "row 4"])
    assert found["missing_ids"] == ["2", "3"]
    assert found["score"] == 50.0, "the first of two rows counts"


def test_thinking_parts_are_taken_off(data: Path) -> None:
    texts = [f"<think>{box(9)}</think>{box(0)}", f"<think>{box(1)}</think>no idea", box(2), f"{box(3)}</think>{box(9)}"]
    rows = [{"id": n, "response": text} for n, text in enumerate(texts)]
    part = AIME.rules["after-thinking"]
    found = scored(data, rows, score=part.score, keeps_thinking=part.keeps_thinking)
    assert [row["correct"] for row in found.verdicts] == [True, False, True, False]
    found = scored(data, rows)
    assert [row["correct"] for row in found.verdicts] == [True, True, True, False], "the second has its box in the thinking part"
    assert [row.get("details") for row in found.verdicts] == [None, {"read_from": "thinking"}, None, None]


def test_equal_input_gives_equal_bytes_whatever_the_workers(data: Path) -> None:
    path = data.parent / "responses.jsonl"
    path.write_text("".join(json.dumps({"id": n, "response": [box(n), box("\\frac{4}{2}"), "x"]}) + "\n" for n in range(4)))
    first, second = (score_file(AIME, data, path, workers) for workers in (1, 2))
    assert json.dumps(first.result) == json.dumps(second.result)
    assert json.dumps(first.verdicts) == json.dumps(second.verdicts)


def test_the_data_is_a_root_or_a_folder_or_a_file(data: Path) -> None:
    for path in (data, data / "aime2024", data / "aime2024/test.jsonl"):
        (data.parent / "responses.jsonl").write_text(json.dumps({"id": 0, "response": box(0)}))
        assert score_file(AIME, path, data.parent / "responses.jsonl", 1).result["score"] == 25.0


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"id": 0}', r"row 1 \(id '0'\): it has none of response; its fields are id"),
        ('{"id": 0, "response": 7}', "response is int; expected text, null, or a list of them"),
        ('{"id": 0, "response": [{}]}', "response is dict; expected text, null, or a list of them"),
        ('{"id": 0, "response": []}', "response is an empty list"),
        ('{"id": 9, "response": "a"}', r"no row belongs to AIME 2024; its rows have ids such as '9', the data has '0', '1'"),
        ("", "no row belongs to AIME 2024; it has no rows"),
        ("not JSON", ":1: not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"id": ' + "9" * 5000 + "}", "not usable JSON"),
        ('{"id": "\udcff"}', "not usable JSON"),
    ],
)
def test_a_file_that_cannot_be_scored_is_refused(data: Path, line: str, message: str) -> None:
    path = data.parent / "responses.jsonl"
    path.write_bytes(line.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message):
        score_file(AIME, data, path, 1)


def test_a_missing_tool_is_a_refusal(data: Path) -> None:
    with pytest.raises(DataError, match="AIME 2024: no sandbox; install bubblewrap"):
        scored(data, [{"id": 0, "response": ""}], unavailable=lambda: "no sandbox; install bubblewrap")


def test_extractions_and_verdicts_where_a_benchmark_takes_them(tmp_path: Path) -> None:
    folder = tmp_path / "ceval/val"
    folder.mkdir(parents=True)
    header = "id,question,A,B,C,D,answer\n"
    (folder / "law_val.csv").write_text(header + "0,q,a,b,c,d,B\n1,q,a,b,c,d,B\n2,q,a,b,c,d,B\n", encoding="utf-8-sig")
    path = tmp_path / "responses.jsonl"
    rows = [
        {"subject": "law", "id": 0, "extraction": "B", "response": "A"}, {"id": "law/1", "verdicts": [True, "wrong", "maybe"]},
        {"id": "law/2", "extraction": None, "response": "B"},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = score_file(replace(CEVAL, takes_verdicts=True), tmp_path, path, 1)
    assert [(row["id"], row.get("item"), row["outcome"]) for row in found.verdicts] == [
        (0, "law/0", "right"), ("law/1", None, "right"), ("law/1", None, "wrong"), ("law/1", None, "error"),
        ("law/2", None, "right"),
    ]  # fmt: skip
    assert found.verdicts[3]["reason"] == "the verdict 'maybe' is none of true, false, right, wrong, error"
    path.write_text(json.dumps({"id": "law/1", "verdicts": [True]}))
    with pytest.raises(DataError, match="has none of response, extraction; its fields are id, verdicts"):
        score_file(CEVAL, tmp_path, path, 1)


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3))


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(["id", "question_id", "response", "sample", "extraction"]), ANY), max_size=4))
def test_any_rows_give_a_result_or_one_line(data: Path, rows: list[dict[str, Any]]) -> None:
    try:
        found = scored(data, rows)
    except DataError as error:
        message = str(error)
    else:
        message = ""
        _check(found)
    assert "\n" not in message


def _check(found: Scored) -> None:
    assert found.result["n"] == 4
    assert 0 <= found.result["score"] <= 100
    assert found.result["responses"] == len(found.verdicts)
    assert found.result["missing"] + len({row.get("item", row["id"]) for row in found.verdicts}) == 4


def test_odd_rows_are_errors_and_the_rest_is_scored(data: Path) -> None:
    """One right row of four items; every other line is named, none stops the file."""
    path = data.parent / "responses.jsonl"
    lines = [
        json.dumps({"id": 0, "response": box(0)}), json.dumps({"id": 1, "response": []}), json.dumps({"id": 2, "response": 204}),
        "{", '{"id": ' + "9" * 5000 + "}", json.dumps({"id": "9" * 5000, "response": "x"}), "[1]", '{"id": "\udcff"}',
    ]  # fmt: skip
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    found = score_file(AIME, data, path, 1)
    assert (found.result["score"], found.result["errors"], found.result["unmatched"], found.result["missing"]) == (25.0, 2, 5, 1)
    assert [row["outcome"] for row in found.verdicts] == ["right", "error", "error"]
    assert [row["reason"].partition(";")[0] for row in found.verdicts[1:]] == ["response is an empty list", "response is int"]
    assert found.result["unmatched_ids"][0].startswith("line 4: not JSON")
    assert all(len(name) <= 80 for name in found.result["unmatched_ids"])


def test_one_odd_sample_is_an_error_of_its_item(data: Path) -> None:
    found = scored(data, [{"id": 0, "response": [box(0), {}, None]}])
    assert [row["outcome"] for row in found.verdicts] == ["right", "error", "wrong"]


@pytest.mark.parametrize("field", ["sample", "sample_idx"])
@pytest.mark.parametrize("numbers", [(1, 0), (1.0, 0.0), ("1", "0")])
def test_numbered_rows_of_one_id_are_samples(data: Path, field: str, numbers: tuple[Any, Any]) -> None:
    texts = [box(0), box(9)]
    found = scored(data, [{"id": 0, field: number, "response": texts[int(float(number))]} for number in numbers])
    assert [row["correct"] for row in found.verdicts] == [True, False]
    assert (found.result["k"], found.result["duplicates"], found.result["score"]) == (2, 0, 12.5)


@pytest.mark.parametrize("name", [2, "2", 2.0, "2.0"])
def test_ids_come_back_as_they_were_given(data: Path, name: Any) -> None:
    (row,) = scored(data, [{"id": name, "response": box(2)}]).verdicts
    assert (row["id"], type(row["id"])) == (name, type(name))
    assert row.get("item", "2") == "2"
    assert row["correct"]
