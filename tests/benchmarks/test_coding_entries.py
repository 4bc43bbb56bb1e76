"""The registry's entries of code: averages, windows, and published verdicts through the door that users have."""

import json
from pathlib import Path

import pytest

pytest.importorskip("stages.benchmarks.scoring", reason="scoring of given outputs is not here")

from stages.benchmarks.averages import Judged
from stages.benchmarks.benchmark import Item
from stages.benchmarks.coding_entries import CODING, mean_of_languages
from stages.benchmarks.scoring import score_file
from stages.data.files import DataError
from stages.verifiers.verdict import Verdict

BENCH = Path("../shared/bench")
RUN = Path("../shared/conformance/livecodebench/o1-mini.jsonl")
needs_run = pytest.mark.skipif(not RUN.exists() or not BENCH.exists(), reason=f"{RUN} is not here (published verdicts)")


def test_humaneval_mul_is_the_mean_of_languages_not_of_programs() -> None:
    right, wrong = Verdict("right", "", ""), Verdict("wrong", "", "")
    judged = [Judged(Item(f"python/{n}", "q", None, "t", "python"), (right,)) for n in range(3)]
    judged += [Judged(Item("sh/0", "q", None, "t", "sh"), (wrong,))]
    average = mean_of_languages(judged)
    assert average.score.mean == 0.5
    assert average.figures == {"accuracy_python": 100.0, "accuracy_sh": 0.0, "micro": 75.0}


@needs_run
def test_published_verdicts_give_the_cell_of_table_2(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in RUN.read_text().splitlines()]
    given = tmp_path / "o1-mini.jsonl"
    given.write_text("".join(json.dumps({"question_id": r["question_id"], "verdicts": r["graded_list"]}) + "\n" for r in rows))
    live = CODING["livecodebench"]
    assert score_file(live, BENCH, given, 1).result["score"] == 53.12
    assert score_file(live.rules["2408-2411"], BENCH, given, 1).result["score"] == 52.02
    assert score_file(live.rules["all"], BENCH, given, 1).result["score"] == 68.41


@needs_run
@pytest.mark.skipif(bool(list((BENCH / "livecodebench").glob("test*.jsonl"))), reason="the hidden tests are here")
def test_responses_without_hidden_tests_are_refused(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in RUN.read_text().splitlines()]
    given = tmp_path / "o1-mini.jsonl"
    given.write_text("".join(json.dumps({"question_id": r["question_id"], "response": r["output_list"]}) + "\n" for r in rows))
    with pytest.raises(DataError, match="hidden tests missing for 64 of 64 problems; put"):
        score_file(CODING["livecodebench"], BENCH, given, 1)


def test_a_rating_gives_its_percentile(tmp_path: Path) -> None:
    (tmp_path / "sorted_ratings.json").write_text("[]")
    (tmp_path / "given.jsonl").write_text('{"id": "rating", "response": "1261"}\n')
    result = score_file(CODING["codeforces"], tmp_path, tmp_path / "given.jsonl", 1).result
    assert (result["score"], result["rating"]) == (63.6, 1261.0)


@pytest.mark.parametrize("name", CODING)
def test_entries_are_complete(name: str) -> None:
    entry = CODING[name]
    assert entry.name == name
    assert all((entry.prompt_source, entry.extraction, entry.rule, entry.origin, entry.split, entry.files))
