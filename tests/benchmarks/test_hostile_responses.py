"""Model output is hostile input: every scorer gives a verdict in time, says why, and goes on with the next response."""

import json
import time

import pytest
from hostile import EXECUTED, HOSTILE, LIMIT, PIECES, SECONDS, examples, fuzz
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.benchmarks.benchmark import Benchmark, Item
from stages.benchmarks.registry import BENCHMARKS

Examples = dict[str, tuple[Benchmark, list[Item], str]]
TRIED = [name for name in BENCHMARKS if name not in EXECUTED]
LONGEST = 2000
"""Characters of what a verdict quotes."""


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return examples(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", TRIED)
def test_the_right_response_is_right(tried: Examples, name: str) -> None:
    """Else the tests below would say nothing."""
    benchmark, items, right = tried[name]
    (verdict,) = benchmark.judge([(items[0], right)], 1, 20)
    assert verdict.outcome == "right", verdict.reason


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", TRIED)
def test_a_hostile_response_gets_a_verdict_in_time(tried: Examples, name: str, case: str) -> None:
    benchmark, items, right = tried[name]
    start = time.monotonic()
    *verdicts, after = benchmark.judge([*((item, HOSTILE[case]) for item in items), (items[0], right)], 1, SECONDS)
    assert time.monotonic() - start < LIMIT * len(items)
    assert after.outcome == "right", "the next response must not suffer"
    for verdict in verdicts:
        assert verdict.outcome in (("right", "wrong", "error") if name == "ifeval" else ("wrong", "error")), verdict.reason
        assert verdict.reason
        assert len(verdict.reason) <= LONGEST
        assert len(verdict.extracted or "") <= LONGEST
        json.dumps(dict(verdict.details))


@settings(deadline=None, max_examples=60)
@given(text=st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=15).map("".join))
@pytest.mark.parametrize("name", TRIED)
def test_any_text_gets_the_same_verdict_twice(tried: Examples, name: str, text: str) -> None:
    benchmark, items, _ = tried[name]
    pairs = [(item, text) for item in items]
    found = benchmark.judge(pairs, 1, SECONDS)
    assert all(verdict.reason for verdict in found)
    assert benchmark.judge(pairs, 1, SECONDS) == found


@pytest.mark.slow
def test_ten_seconds_of_random_responses_find_nothing() -> None:
    judged, failures = fuzz(10, 0)
    assert failures == []
    assert judged > len(TRIED)
