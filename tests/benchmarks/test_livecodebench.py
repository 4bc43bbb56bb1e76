"""LiveCodeBench: published extractions, verdicts and failing cases; tests in the published forms."""

import base64
import json
import os
import pickle
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.benchmarks import coding_livecodebench as live
from stages.benchmarks import coding_tests
from stages.benchmarks.coding_livecodebench import ALL, LONG, SHORT, extracted, loader
from stages.benchmarks.generation import Wanted, generate
from stages.data.files import DataError
from stages.rollout.responder import EngineResponder
from stages.rollout.scripted import ScriptedEngine
from stages.verifiers.code_tests import CallTest, StdinTest, judge
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable

BENCH = Path("../shared/bench/livecodebench")
RUNS = Path("../shared/conformance/livecodebench")
REASON = why_unavailable() or missing("python")
needs_sandbox = pytest.mark.skipif(REASON is not None, reason=str(REASON))
needs_runs = pytest.mark.skipif(not RUNS.exists(), reason=f"{RUNS} is not here (published LiveCodeBench verdicts)")
needs_bench = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
ADD = {
    "question_id": "q1",
    "question_title": "Add",
    "question_content": "Add two numbers.",
    "platform": "atcoder",
    "contest_id": "c",
    "contest_date": "2024-12-07T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
    "metadata": "{}",
}
HIDDEN = [{"input": "2 2\n", "output": "4\n", "testtype": "stdin"}]


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


class Touch:
    """What a hostile pickle would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@needs_runs
def test_published_extractions_are_reproduced() -> None:
    runs = {path.stem: _rows(path) for path in sorted(RUNS.glob("o1-*.jsonl"))}
    assert runs
    for name, rows in runs.items():
        assert len(rows) == 880
        assert [(name, r["question_id"]) for r in rows if extracted(r["output_list"][0]) != r["code_list"][0]] == []


@needs_runs
@needs_bench
@pytest.mark.parametrize(("window", "right", "share"), [(LONG, 34, 53.1), (SHORT, 116, 52.0), (ALL, 602, 68.4)], ids=str)
def test_published_verdicts_in_the_windows(window: live.Window, right: int, share: float) -> None:
    """The first is the cell of o1-mini in table 2 of the report."""
    loaded = loader(window, tested=False)(BENCH)
    verdicts = {row["question_id"]: row["graded_list"][0] for row in _rows(RUNS / "o1-mini.jsonl")}
    passed = sum(verdicts[item.id] for item in loaded.items)
    assert (len(loaded.items), loaded.part, passed) == (window.size, None, right)
    assert round(100 * passed / window.size, 1) == share


@needs_sandbox
@needs_runs
def test_failing_cases_fail_again() -> None:
    """286 recorded wrong answers. A runner that waits for threads accepts the 22 marked here, whose output came from a thread
    that is not joined; of these ours may accept those whose thread ends within one switch interval of the interpreter (5 ms)."""
    cases = _rows(RUNS / "failing_cases_stdin.jsonl")
    marked = {(case["model"], case["question_id"]) for case in cases if case["plain_subprocess_matches_expected"]}
    accepted = {
        (case["model"], case["question_id"])
        for case in cases
        if judge(case["code"], [StdinTest(case["input"], case["expected"])], harness="lcb-2025-01").outcome != "wrong"
    }
    assert (len(cases), len(marked)) == (286, 22)
    assert accepted <= marked, sorted(accepted - marked)
    assert len(accepted) <= 8, sorted(accepted)


@needs_bench
@pytest.mark.skipif(bool(list(BENCH.glob("test*.jsonl"))), reason="the hidden tests are here")
def test_missing_hidden_tests_are_one_clear_line() -> None:
    with pytest.raises(DataError, match=r"^LiveCodeBench: hidden tests missing for 64 of 64 problems; put test\*\.jsonl of .* in "):
        loader(LONG, tested=True)(BENCH)
    item = loader(LONG, tested=False)(BENCH).items[0]
    if REASON is None:
        with pytest.raises(DataError, match="hidden tests missing for 1 of 1 problems"):
            live.score([(item, "```\nx\n```")], 1, 10)


@needs_sandbox
@pytest.mark.parametrize("private", [json.dumps(HIDDEN), packed(json.dumps(HIDDEN))], ids=["JSON", "packed"])
def test_published_files_are_read_and_judged(tmp_path: Path, private: str) -> None:
    _write(tmp_path, [{**ADD, "private_test_cases": private}])
    (item,) = loader(LONG, tested=True)(tmp_path).items
    program = "```python\nprint(sum(map(int, input().split())))\n```"
    verdicts = live.score([(item, program), (item, "```python\nprint(3)\n```"), (item, "print(3)")], 2, 10)
    assert [verdict.outcome for verdict in verdicts] == ["right", "wrong", "wrong"]
    assert verdicts[1].reason == "test 2 of 2: gave '3\\n'"


def test_calls_have_the_name_of_their_function() -> None:
    row = {**ADD, "metadata": '{"func_name": "add"}', "private_test_cases": json.dumps([{"input": "1\n2", "output": "3"}])}
    assert coding_tests.tests_of(row, "here")[1:] == [CallTest("add", "1\n2", "3")]


def test_a_pickle_that_names_anything_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with pytest.raises(DataError, match=r"here: the tests of 'q1' cannot be read \(UnpicklingError: the tests name posix\.system"):
        coding_tests.tests_of({**ADD, "private_test_cases": packed(Touch(made))}, "here")
    assert not made.exists()


@pytest.mark.parametrize("private", ["%%%", "AAAA", packed([1]), packed("{"), packed("[1]"), "[" * 9999, '[{"input": "1"}]', "7"])
def test_tests_that_cannot_be_read_are_named(private: str) -> None:
    with pytest.raises(DataError, match="the tests of 'q1' cannot be read"):
        coding_tests.tests_of({**ADD, "private_test_cases": private}, "here")


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding_tests, "MAX_BYTES", 1 << 16)
    with pytest.raises(DataError, match="more than 65536 bytes"):
        coding_tests.tests_of({**ADD, "private_test_cases": packed("x" * (1 << 20))}, "here")


def test_the_prompt_has_the_starter_code_or_asks_for_standard_input(tmp_path: Path) -> None:
    _write(tmp_path, [ADD, {**ADD, "question_id": "q2", "starter_code": "class Solution:\n    def add(self):"}])
    first, second = (live.prompt(item).question for item in loader(LONG, tested=True)(tmp_path).items)
    assert "### Format: Read the inputs from stdin" in first
    assert "```python\n# YOUR CODE HERE\n```\n\n### Answer: (use the provided format with backticks)\n\n" in first
    assert "### Format: You will use the following starter code" in second
    assert "```python\nclass Solution:\n    def add(self):\n```" in second


@needs_sandbox
def test_a_column_is_scored_on_the_window_of_its_table(tmp_path: Path) -> None:
    """Table 2 has the contests from 2024-11-30 on, table 3 those from 2024-08-01 to that day; each cell names its window."""
    folder = tmp_path / "livecodebench"
    folder.mkdir()
    dates = {"old": "2024-07-31", "autumn": "2024-09-01", "both": "2024-11-30", "winter": "2024-12-07"}
    rows = [ADD | {"question_id": name, "contest_date": f"{day}T00:00:00"} for name, day in dates.items()]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    responder = EngineResponder(lambda: ScriptedEngine(lambda *_: "```python\nprint(3)\n```"), 8, {"model": "scripted"})
    for protocol, asked, window in (("long", ["both", "winter"], LONG), ("short", ["autumn", "both"], SHORT)):
        wanted = Wanted(["livecodebench"], tmp_path, None, protocol, 0, 1, {"samples": 1, "max_tokens": 100})
        found = generate(wanted, responder, tmp_path / protocol, "mine", None, {}, lambda *_: None).cells["livecodebench"]
        written = (tmp_path / protocol / "livecodebench.jsonl").read_text().splitlines()
        assert [json.loads(line)["id"] for line in written] == asked
        assert (found["n"], found["accuracy"]) == (2, 1.0)
        assert found["split"].endswith(f"contests from {window}")
        assert found["part"] == f"2 problems of {window}, expected {window.size}"


def test_a_window_is_by_day() -> None:
    assert [LONG.holds(day) for day in ("2024-11-29T23:00:00", "2024-11-30T00:00:00", "2025-01-04")] == [False, True, True]
    days = ("2024-07-31", "2024-08-01", "2024-11-30T00:00:00", "2024-12-01")
    assert [SHORT.holds(day) for day in days] == [False, True, True, False]


@given(st.text(alphabet="`\n a", max_size=60))
def test_extraction_takes_the_last_two_fences(response: str) -> None:
    fences = sum("```" in line for line in response.split("\n"))
    assert extracted(response) == "" if fences < 2 else "```" not in extracted(response)


def test_a_hostile_response_is_read_in_time() -> None:
    start = time.monotonic()
    for response in ("```\n" * 300_000, "`" * 2_000_000, "\n" * 2_000_000):
        extracted(response)
    assert time.monotonic() - start < 10


def _write(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "test5.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
