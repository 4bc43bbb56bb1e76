"""The protocol of every measured cell: what was recorded, what was not, and columns that share one together."""

from typing import Any

from synthetic_run import benchmark

from stages.reporting.columns import Column
from stages.reporting.evaluations import Benchmark, BenchmarkResult, Missing
from stages.reporting.protocol_cells import Protocol, protocol_markdown, protocols
from stages.reporting.published import published


def column(name: str, **results: dict[str, Any]) -> Column:
    found: dict[str, BenchmarkResult] = {
        key: Missing.model_validate(value) if "missing" in value else Benchmark.model_validate(value)
        for key, value in results.items()
    }
    return Column(name, "g", 2, None, found)


def of(title: str, *columns: Column) -> list[Protocol]:
    return [one for one in protocols(columns) if one.benchmark == title]


def test_everything_that_was_recorded_is_shown() -> None:
    (found,) = of("MATH-500", column("A", math500=benchmark(0.5, 500, "MATH-500", k=4)))
    assert found.columns == ("A",)
    assert found.facts == {
        "prompt": "the boxed instruction; zero-shot",
        "temperature": "0.6",
        "top-p": "0.95",
        "limit of response tokens": "32,768",
        "k, responses to each problem": "4",
        "n, problems": "500",
        "split": "test",
        "data": "a/b, revision not known, so trust the SHA-256; no commit of it is pinned here; "
        "this code was checked with c/d, commit e",
        "files read": "test.jsonl",
        "SHA-256": 64 * "5",
        "extraction": "the last box",
        "rule": "equality; mean over problems",
        "scorer": "code 0123456789ab, math-verify 0.9.0",
    }


def test_several_files_shots_greedy_and_a_known_revision() -> None:
    value = benchmark(0.5, 50, "MATH-500", limited=True)
    value["data"] = {**value["data"], "files": ["a.csv", "b.csv"], "revision": 40 * "6", "pinned": 40 * "7", "as_checked": True}
    value |= {"shots": 5, "decoding": {"temperature": 0.0, "top_p": 1.0, "max_tokens": 10}}
    (found,) = of("MATH-500", column("A", math500=value))
    assert found.facts.items() >= {
        ("prompt", "the boxed instruction; 5 shots"), ("temperature", "0 (greedy)"), ("files read", "a.csv and 1 more"),
        ("SHA-256 of `sha256sum` of the files", 64 * "5"), ("n, problems", "50 (first 50)"),
    }  # fmt: skip
    assert f"revision {40 * '6'}; pinned: {40 * '7'};" in found.facts["data"]
    assert found.facts["data"].endswith("; the files are byte for byte the same")


def test_what_a_file_does_not_say_is_not_recorded() -> None:
    value = benchmark(0.5, 500, "MATH-500")
    for name in ("prompt", "shots", "split", "data", "extraction", "rule", "scorer", "decoding"):
        del value[name]
    (found,) = of("MATH-500", column("A", math500=value))
    silent = {name for name, fact in found.facts.items() if fact == "not recorded"}
    assert silent == set(found.facts) - {"k, responses to each problem", "n, problems"}


def test_differences_from_named_rules_are_rows_of_their_own() -> None:
    value = benchmark(0.5, 500, "MATH-500") | {"differs": {"prm800k": "1.2 points above it", "qwen": "wants a box"}}
    (found,) = of("MATH-500", column("A", math500=value))
    assert {name: fact for name, fact in found.facts.items() if "against" in name} == {
        "against the rule prm800k": "1.2 points above it", "against the rule qwen": "wants a box",
    }  # fmt: skip
    assert "against the rule qwen" in protocol_markdown([column("A", math500=value)], {})


def test_columns_that_share_a_protocol_are_together() -> None:
    same = [column(name, math500=benchmark(accuracy, 500, "MATH-500")) for name, accuracy in (("A", 0.1), ("B", 0.9))]
    other = column("C", math500=benchmark(0.5, 500, "MATH-500", k=4))
    absent = [column("D", math500={"missing": "no files"}), column("E")]
    assert [(one.columns, one.reason) for one in of("MATH-500", *same, other, *absent)] == [
        (("A", "B"), ""), (("C",), ""), (("D",), "no files"), (("E",), "not evaluated here"),
    ]  # fmt: skip


def test_the_page_has_all_twelve_benchmarks() -> None:
    text = protocol_markdown([column("A", mmlu=benchmark(0.5, 14042, "MMLU"))], {"seed": "0"})
    titles = {row.title for table in published().tables for row in table.rows}
    assert len(titles) == 12
    assert {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")} == titles | {
        "Statistics", "Settings of this run",
    }  # fmt: skip
    assert "A: no score, not evaluated here" in text
    assert "| seed | 0 |" in text
    assert "| prompt | the boxed instruction; zero-shot |" in text
