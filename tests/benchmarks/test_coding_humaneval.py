"""HumanEval-Mul: extraction worked out by hand, programs in the real sandbox, published verdicts."""

import gzip
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.benchmarks import coding_humaneval
from stages.benchmarks.benchmark import Item
from stages.benchmarks.coding_programs import STYLES, assembled, completed, with_word
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scoring import score_file
from stages.data.files import DataError
from stages.verifiers.code_tests import proven
from stages.verifiers.languages import LANGUAGES, missing
from stages.verifiers.sandbox import why_unavailable
from stages.verifiers.verdict import Verdict

BENCH = Path("../shared/bench/humaneval_mul")
RUN = Path("../shared/conformance/humaneval/nanochat_sft_164.jsonl")
CASES = [json.loads(line) for line in Path("tests/cases/humaneval_extraction.jsonl").read_text().splitlines()]
REASON = why_unavailable() or missing("python")
needs_sandbox = pytest.mark.skipif(REASON is not None, reason=str(REASON))
needs_bench = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
TESTS = {
    "python": "def check(f):\n    assert f(2) == 4\n    assert f(3) == 6\n\ncheck(twice)",
    "java": "    }\n    public static void main(String[] args) {\n    assert(twice((2l)) == (4l));\n    }\n\n}\n",
    "cpp": "}\nint main() {\n    auto candidate = twice;\n    assert(candidate((2)) == (4));\n}\n",
    "cs": "    }\n    public static void Main(string[] args) {\n    Debug.Assert(Twice((2L)) == (4L));\n    }\n\n}\n",
    "js": "const assert = require('node:assert');\nfunction test() {\n  assert.deepEqual(twice(2),4);\n}\n\ntest();",
    "ts": "declare var require: any;\nconst assert = require('node:assert');\n"
    "function test() {\n  assert.deepEqual(twice(2),4);\n}\n\ntest();",
    "php": 'function test(): void {\n    if (twice(2) !== 4) { throw new Exception("Test failed!"); }\n}\n\ntest();',
    "sh": '}\n\ncandidate() {\n    twice "$@"\n}\n\nset -e\nrun_test() {\n    [[ $(candidate "2") = "4" ]]\n}\n\nrun_test',
}
HEADS = {
    "python": "def twice(n):\n",
    "java": "import java.util.*;\nimport org.javatuples.*;\nclass Problem {\n    public static long twice(long n) {\n",
    "cpp": "#include<assert.h>\n#include<bits/stdc++.h>\nlong twice(long n) {\n",
    "cs": "using System;\nusing System.Diagnostics;\nclass Problem {\n    public static long Twice(long n) {\n",
    "js": "function twice(n){\n",
    "ts": "function twice(n: number): number {\n",
    "php": "<?php\nfunction twice($n) {\n",
    "sh": "#!/bin/bash\ntwice() {\n",
}
BODIES = {  # right, wrong, ends with status 0 before the tests have ended
    "python": ("    return 2 * n", "    return n", "    import os; os._exit(0)"),
    "java": ("        return 2 * n;\n    }", "        return n;\n    }", "        System.exit(0); return 0;\n    }"),
    "cpp": ("    return 2 * n;\n}", "    return n;\n}", "    exit(0);\n}"),
    "cs": ("        return 2 * n;\n    }", "        return n;\n    }", "        Environment.Exit(0); return 0;\n    }"),
    "js": ("  return 2 * n;\n}", "  return n;\n}", "  process.exit(0);\n}"),
    "ts": ("  return 2 * n;\n}", "  return n;\n}", "  (globalThis as any).process.exit(0);\n}"),
    "php": ("    return 2 * $n;\n}", "    return $n;\n}", "    exit(0);\n}"),
    "sh": ("    echo $((2 * $1))\n}", "    echo $1\n}", "    kill $$; exit 0\n}"),
}


def item(language: str) -> Item:
    return Item(f"{language}/HumanEval_0_twice", HEADS[language], None, TESTS[language], language)


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_extraction_as_deepseek_coder_does_it(case: dict[str, Any]) -> None:
    assert completed(case["language"], case["prompt"], case["response"]) == case["code"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["right", "wrong", "exit"])
def test_each_language(language: str, kind: str) -> None:
    reason = why_unavailable() or missing(language)
    if reason is not None:
        pytest.skip(reason)
    body = BODIES[language][("right", "wrong", "exit").index(kind)]
    response = f"Here it is.\n```{STYLES[language].fence}\n{HEADS[language]}{body}\n```\nIt doubles."
    verdict = coding_humaneval.judge(item(language), response)
    assert verdict.outcome == ("right" if kind == "right" else "wrong"), verdict.reason


LENIENT = {  # language: body, our outcome, DeepSeek's
    "a C# exception passes there": ("cs", '        throw new Exception("oops");\n    }', "wrong", "right"),
    "a failed C# assertion fails": ("cs", "        return n;\n    }", "wrong", "wrong"),
    "a C# exception that says Fail fails": ("cs", '        throw new Exception("Failed");\n    }', "wrong", "wrong"),
    "a C# program that does not compile fails": ("cs", "        return;\n    }", "wrong", "wrong"),
    "a C# exit passes there": ("cs", "        Environment.Exit(1); return 0;\n    }", "wrong", "right"),
    "an early exit passes in C++": ("cpp", "    exit(0);\n}", "wrong", "right"),
    "another status fails in C++": ("cpp", "    exit(3);\n}", "wrong", "wrong"),
    "an early exit passes in PHP": ("php", "    exit(0);\n}", "wrong", "right"),
    "a JavaScript program that prints fails": ("js", "  console.log(1);\n  return 2 * n;\n}", "wrong", "wrong"),
    "an early exit fails in Python": ("python", "    raise SystemExit(0)", "wrong", "wrong"),
    "a right program is right": ("cs", "        return 2 * n;\n    }", "right", "right"),
}


@pytest.mark.parametrize("why", LENIENT)
def test_deepseeks_rule_asks_for_no_proof_that_the_tests_ran(why: str) -> None:
    language, body, ours, theirs = LENIENT[why]
    reason = why_unavailable() or missing(language)
    if reason is not None:
        pytest.skip(reason)
    response = f"```{STYLES[language].fence}\n{HEADS[language]}{body}\n```"
    benchmark = BENCHMARKS["humaneval_mul"]
    judged = [one.judge([(item(language), response)], 1, 10)[0] for one in (benchmark, benchmark.rules["deepseek"])]
    assert [verdict.outcome for verdict in judged] == [ours, theirs], [verdict.reason for verdict in judged]


@needs_sandbox
@needs_bench
def test_canonical_solutions_pass() -> None:
    items = [found for found in coding_humaneval.load(BENCH).items if found.group == "python"]
    rows = {f"python/HumanEval/{row['task_id'].split('/')[1]}": row for row in _rows(BENCH / "HumanEval.jsonl.gz")}
    assert len(items) == 164
    failed = []
    for one in items:
        row = rows[one.id]
        response = f"```python\n{row['prompt']}{row['canonical_solution']}```"
        program = assembled("python", one.question, completed("python", one.question, response))
        whole = row["prompt"] + row["canonical_solution"]
        for text, tests in ((program, one.gold), (whole, f"{row['test']}\ncheck({row['entry_point']})")):
            if (reason := proven(text + "\n", tests, 10)) is not None:
                failed.append((one.id, reason))
    assert failed == []


@needs_sandbox
@needs_bench
@pytest.mark.skipif(not RUN.exists(), reason=f"{RUN} is not here (published HumanEval verdicts)")
def test_published_verdicts_are_reproduced() -> None:
    """lm-evaluation-harness's programs with the verdicts that it gave: 10 of 164 pass."""
    rows = {row["task_id"]: row for row in _rows(BENCH / "HumanEval.jsonl.gz")}
    published = [json.loads(line) for line in RUN.read_text().splitlines()]
    assert (len(published), sum(row["pass@1"] for row in published)) == (164, 10)
    differ = []
    for row in published:
        problem = rows[row["task_id"]]
        mine = proven(row["program_head"], f"{problem['test']}\ncheck({problem['entry_point']})", 10) is None
        if mine != (row["pass@1"] == 1):
            differ.append(row["task_id"])
    assert differ == []


@needs_sandbox
@needs_bench
@pytest.mark.skipif(not RUN.exists(), reason=f"{RUN} is not here (published HumanEval verdicts)")
def test_the_raw_responses_get_the_published_verdicts() -> None:
    """The same 164 as the model wrote them, through `k15 score`: read by the fallbacks of our extraction, as none opens a fence."""
    published = {row["task_id"]: row for row in map(json.loads, RUN.read_text().splitlines())}
    found = score_file(BENCHMARKS["humaneval_mul"], BENCH, RUN, 2)
    mine = {row["id"]: row["correct"] for row in found.verdicts}
    assert {name for name, row in published.items() if mine[name] != (row["pass@1"] == 1)} == set()
    assert (found.result["score"], found.result["n"], found.result["languages"]) == (6.1, 164, ["python"])
    assert found.result["errors"] == 0


@needs_bench
def test_the_published_files_load_and_each_test_has_a_place_for_its_proof() -> None:
    items = coding_humaneval.load(BENCH).items
    counts = {name: sum(found.group == name for found in items) for name in LANGUAGES}
    assert counts == {"python": 164, "java": 158, "cpp": 161, "cs": 158, "js": 161, "ts": 159, "php": 161, "sh": 158}
    assert len({found.id for found in items}) == coding_humaneval.SIZE
    assert all("WORD" in with_word(found.group, found.gold, "WORD") for found in items if found.group != "python")


def test_an_absent_language_is_named(tmp_path: Path) -> None:
    (tmp_path / "humaneval-python.jsonl").write_text("")
    with pytest.raises(DataError, match=r"needs all eight languages; humaneval-java\.jsonl, .* is not there"):
        coding_humaneval.load(tmp_path)


def test_only_the_tool_chains_of_the_languages_asked_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding_humaneval, "missing", lambda name: f"{name}: not here" if name == "php" else None)
    monkeypatch.setattr(coding_humaneval, "why_unavailable", lambda: None)
    monkeypatch.setattr(coding_humaneval, "judge", lambda *_: Verdict("right", None, "stub"))
    assert coding_humaneval.score([(item("python"), "x")], 1, 10)[0].outcome == "right"
    with pytest.raises(DataError, match="HumanEval-Mul: php: not here"):
        coding_humaneval.score([(item("php"), "x")], 1, 10)


def data(folder: Path, *languages: str) -> Path:
    for name in languages:
        row = {"task_id": "HumanEval/0", "prompt": HEADS[name], "test": TESTS[name]}
        (folder / f"humaneval-{name}.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def test_languages_without_rows_or_tools_leave_the_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python right, JavaScript wrong: 50; PHP has no tools, Java no row, the others no data."""
    monkeypatch.setattr(coding_humaneval, "missing", lambda name: "no php here" if name == "php" else None)
    monkeypatch.setattr(coding_humaneval, "why_unavailable", lambda: None)
    mul = replace(BENCHMARKS["humaneval_mul"], score=lambda pairs, *_: [Verdict("right", t, "") for _, t in pairs])
    path = tmp_path / "r.jsonl"
    rows: list[dict[str, Any]] = [{"task_id": "HumanEval/0", "response": "x"}, {"id": "js/HumanEval/0", "verdicts": [False]}]
    rows.append({"id": "php/HumanEval/0", "response": "x"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = score_file(mul, data(tmp_path, "python", "java", "js", "php"), path, 1)
    assert (found.result["score"], found.result["n"], found.result["missing"], found.result["unscored"]) == (50.0, 2, 0, 1)
    assert found.result["languages"] == ["python", "js"]
    left_out = found.result["languages_left_out"]
    assert (left_out["php"], left_out["java"], left_out["sh"]) == ("no php here", "no row of it", "it has no data")
    assert found.result["part"].startswith("scored on python, js alone (")
    assert (found.verdicts[0]["id"], found.verdicts[0]["item"]) == ("HumanEval/0", "python/HumanEval/0")
    path.write_text(json.dumps(rows[2]) + "\n")
    with pytest.raises(DataError, match="HumanEval-Mul: no php here"):
        score_file(mul, tmp_path, path, 1)


def test_the_python_file_alone_in_its_forms(tmp_path: Path) -> None:
    row = {
        "task_id": "HumanEval/0",
        "prompt": HEADS["python"],
        "entry_point": "twice",
        "test": "def check(f):\n    assert f(2) == 4\n",
    }
    (tmp_path / "HumanEval.jsonl").write_text(json.dumps(row) + "\n")
    with gzip.open(tmp_path / "HumanEval.jsonl.gz", "wt") as lines:
        lines.write(json.dumps(row) + "\n")
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "test.parquet")
    for path in (tmp_path, *(tmp_path / name for name in ("HumanEval.jsonl", "HumanEval.jsonl.gz", "test.parquet"))):
        (found,) = BENCHMARKS["humaneval_mul"].read_answers(path).items
        assert (found.id, found.gold) == ("python/HumanEval/0", row["test"] + "\ncheck(twice)")


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"task_id": "HumanEval/3"}, "python/HumanEval/3"),
        ({"task_id": "Python/3"}, "python/HumanEval/3"),
        ({"id": "python/HumanEval/3"}, "python/HumanEval/3"),
        ({"task_id": "HumanEval_23_strlen", "language": "C++"}, "cpp/HumanEval_23_strlen"),
        ({"name": "HumanEval_23_strlen", "lang": "sh"}, "sh/HumanEval_23_strlen"),
        ({"id": "java/HumanEval_23_strlen"}, "java/HumanEval_23_strlen"),
        ({"response": "x"}, None),
    ],
)
def test_rows_of_responses_name_their_item(row: dict[str, Any], name: str | None) -> None:
    assert coding_humaneval.row_id(row) == name


def test_the_prompt_is_the_authors() -> None:
    assert (
        coding_humaneval.prompt(item("sh")).question == f"{coding_humaneval.INSTRUCTION}\n```bash\n#!/bin/bash\ntwice() {{\n\n```"
    )


@settings(deadline=None)
@given(st.sampled_from(sorted(STYLES)), st.text(alphabet="`python java{}\n twice()#", max_size=120))
def test_extraction_never_fails(language: str, response: str) -> None:
    assert isinstance(completed(language, HEADS[language], response), str)


@pytest.mark.parametrize("response", ["```python\n" * 100_000, "`" * 1_000_000, "```python\n" + "\n}" * 300_000, "{" * 1_000_000])
def test_hostile_responses_are_read_in_time(response: str) -> None:
    start = time.monotonic()
    completed("python", HEADS["python"], response)
    assert time.monotonic() - start < 10


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
