"""Every benchmark says what a reader of its score must know."""

import pytest

from stages.benchmarks.benchmark import Benchmark
from stages.benchmarks.registry import BENCHMARKS
from stages.reporting.published import published
from stages.run.sections import BenchmarkName


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS.keys())
def test_an_entry_is_complete(benchmark: Benchmark) -> None:
    assert benchmark.name in BenchmarkName.__args__
    texts = (benchmark.split, benchmark.origin, benchmark.prompt_source, benchmark.extraction, benchmark.rule)
    assert all(text and "\n" not in text for text in texts)
    assert benchmark.shots >= 0
    assert benchmark.long_cot.temperature == 0.6
    assert benchmark.long_cot.top_p == 0.95
    assert benchmark.short_cot.max_tokens < benchmark.long_cot.max_tokens
    usual = (benchmark.rule, benchmark.extraction, benchmark.split)
    named = [(other.rule, other.extraction, other.split) for other in benchmark.rules.values()]
    assert len({*named}) == len(named), "each name is another rule; one may be a name of the usual one"
    assert not named or {*named} != {usual}
    for other in benchmark.rules.values():
        assert other.name == benchmark.name


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS.keys())
def test_title_metric_and_tables_are_those_of_the_report(benchmark: Benchmark) -> None:
    rows = {number: row for number in (2, 3) for row in published().table(number).rows if row.benchmark == benchmark.name}
    assert tuple(rows) == benchmark.tables
    assert {(row.title, row.metric) for row in rows.values()} == {(benchmark.title, benchmark.metric)}


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS.keys())
def test_the_rows_have_the_items_of_the_benchmark(benchmark: Benchmark) -> None:
    """Of LiveCodeBench table 3 has an earlier window; the contests of Codeforces are unknown."""
    sizes = {number: row.items for number, row in published().rows(benchmark.name).items()}
    expected: dict[int, int | None] = dict.fromkeys(benchmark.tables, benchmark.size or None)
    if benchmark.name == "livecodebench":
        expected[3] = benchmark.rules["2408-2411"].size
    assert sizes == expected
