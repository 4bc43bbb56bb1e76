"""Equal responses give equal bytes: every scorer, in processes whose hashes, workers and order of work differ."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import EXECUTED, examples, response

from stages.benchmarks.benchmark import Item
from stages.benchmarks.registry import BENCHMARKS
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable

SCORE = """
import json, sys
from pathlib import Path
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scoring import score_file

root, workers, *names = sys.argv[1:]
for name in names:
    found = score_file(BENCHMARKS[name], Path(root), Path(root, name + ".jsonl"), int(workers), 2.0)
    print(json.dumps([found.result, found.verdicts]))
"""
PROGRAMS = (
    "print(sum(map(int, input().split())))",
    "print({'a', 'b', 'c', 'd', 'e', input()})",
    "print(hash('a'), hash(input()))",
    "raise ValueError({'a', 'b', 'c', 'd', 'e'})",
    "import os; print(os.getcwd(), os.listdir('/tmp'), sorted(os.environ))",
    "print(1",
    "while True: pass",
)
CHANCE = ("import random; print(random.random())", "print(object())", "import time; raise ValueError(time.time())")
"""Their output, which the verdict quotes, is another each time."""


def scored(root: Path, names: list[str], workers: int, seed: str) -> str:
    """What a new process prints: the result and the verdicts of each benchmark, one a line."""
    done = subprocess.run(
        [sys.executable, "-c", SCORE, str(root), str(workers), *names],
        env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout


def asked(items: list[Item], right: str) -> str:
    """Three responses to every item: a right one and two put together at random."""
    generator = random.Random(5)
    rows = [{"id": item.id, "response": [right, response(generator), response(generator)]} for item in items]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_every_scorer_gives_the_same_bytes(tmp_path: Path) -> None:
    names = [name for name in BENCHMARKS if name not in EXECUTED]
    for name, (_, items, right) in examples(tmp_path).items():
        (tmp_path / f"{name}.jsonl").write_text(asked(items, right), encoding="ascii")
    first, second = scored(tmp_path, names, 1, "1"), scored(tmp_path, names, 2, "2")
    assert [json.loads(line)[0]["benchmark"] for line in first.splitlines()] == names
    assert first.splitlines() == second.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(bool(why_unavailable() or missing("python")), reason="no sandbox, or no Python in it")
def test_programs_get_the_same_verdicts_and_reasons(tmp_path: Path) -> None:
    """Of programs that make their own chance only the verdict can be the same."""
    programs = (*PROGRAMS, *CHANCE)
    (tmp_path / "livecodebench").mkdir()
    tests = json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}])
    question = {
        "question_title": "Add", "question_content": "Add.", "platform": "atcoder", "contest_id": "c", "starter_code": "",
        "contest_date": "2024-12-07T00:00:00", "difficulty": "easy", "public_test_cases": tests, "metadata": "{}",
    }  # fmt: skip
    lines = [json.dumps({**question, "question_id": str(number)}) for number in range(len(programs))]
    (tmp_path / "livecodebench/test.jsonl").write_text("\n".join(lines))
    rows = [{"question_id": str(n), "response": f"```python\n{text}\n```"} for n, text in enumerate(programs)]
    (tmp_path / "livecodebench.jsonl").write_text("\n".join(map(json.dumps, rows)))
    first, second = (json.loads(scored(tmp_path, ["livecodebench"], n, str(n))) for n in (1, 2))
    assert [row["outcome"] for row in first[1]] == ["right"] + ["wrong"] * (len(programs) - 1)
    assert first[0] == second[0]
    assert first[1][: len(PROGRAMS)] == second[1][: len(PROGRAMS)]
    assert [row["outcome"] for row in first[1]] == [row["outcome"] for row in second[1]]
