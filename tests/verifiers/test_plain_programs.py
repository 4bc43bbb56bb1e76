"""Programs as a reward: run plainly, compared with a tolerance or by a checker, read out of fences, asserted of without
being told."""

import contextlib
import json
import threading
import time
from pathlib import Path

import psutil
import pytest

from stages.benchmarks.coding_livecodebench import extracted
from stages.verifiers import assertions
from stages.verifiers.code_blocks import blocks, program_in
from stages.verifiers.code_rewards import unrunnable, verify_program
from stages.verifiers.code_tests import AssertTest, StdinTest, judge
from stages.verifiers.languages import missing
from stages.verifiers.output_comparison import close_output, close_result
from stages.verifiers.programs import Harness, StarvedError, with_files
from stages.verifiers.sandbox import why_unavailable

HERE = why_unavailable() or missing("python")
needs_sandbox = pytest.mark.skipif(HERE is not None, reason=str(HERE))
SAMPLES = Path("../shared/bench/livecodebench/sample_tests_atcoder.jsonl")
RUNS = Path("../shared/conformance/livecodebench/o1-mini.jsonl")
ADDS = StdinTest("3 4\n", "7\n")
SUMS = StdinTest("2\n10\n20\n", "30\n")
READ = "a, b = map(int, input().split())\n"


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "test", "outcome"),
    [
        (READ + "import sys\nsys.stdout.buffer.write(str(a + b).encode())", ADDS, "right"),
        (READ + "import os\nos.write(1, str(a + b).encode())", ADDS, "right"),
        ("import os\nprint(sum(map(int, os.read(0, 99).split())))", ADDS, "right"),
        ("print(sum(map(int, open(0).read().split())))", ADDS, "right"),
        ("print(sum(map(int, open('/dev/stdin').read().split())))", ADDS, "right"),
        ("import io, os\ninput = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline\n" + READ + "print(a + b)", ADDS, "right"),
        ("class Solution:\n    def add(self, a, b): return a + b\n" + READ + "print(Solution().add(a, b))", ADDS, "right"),
        ("def main():\n    a, b = map(int, input().split())\n    print(a + b)\nif '__main__' == __name__: main()", ADDS, "right"),
        ("n = 0\ndef f():\n    global n\n    n += 1\nf()\n" + READ + "print(a + b + n - 1)", ADDS, "right"),
        ("from __future__ import annotations\n" + READ + "print(a + b)", ADDS, "right"),
        (READ + "import pickle\ndef f(): pass\npickle.dumps(f)\nprint(a + b)", ADDS, "right"),
        (READ + "import os\nprint(a + b, flush=True)\nos._exit(0)", ADDS, "right"),
        ("import sys\nsys.setrecursionlimit(10**6)\nimport threading\ndef main():\n    print(sum(map(int, input().split())))\n"
         "threading.stack_size(1 << 26)\nthreading.Thread(target=main).start()", ADDS, "right"),
        ("input()\nimport sys\nprint(sum(map(int, sys.stdin.read().split())))", SUMS, "right"),
        ("import sys\nsys.stdin.readline()\nprint(sum(map(int, sys.stdin.readlines())))", SUMS, "right"),
        ("input()\nimport sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))", SUMS, "right"),
        ("n = 0\ntry:\n    while True:\n        input()\n        n += 1\nexcept EOFError:\n    print(n)", StdinTest("a\n\nb", "3"), "right"),
        ("print(len(input()))", StdinTest("ab\r\n", "2"), "right"),
        (READ + "print(a + b)\nexit(0)", ADDS, "right"),
        (READ + "print(a + b)\nraise SystemExit(3)", ADDS, "wrong"),
        (READ + "print(a - b)", ADDS, "wrong"),
        (READ + "print(a + b)\nprint('done')", ADDS, "wrong"),
        (READ + "import os\nif os.fork() == 0:\n    import time\n    time.sleep(60)\nprint(a + b)", ADDS, "right"),
        ("import time\ntime.sleep(99)", ADDS, "error"),
        ("while True: print('x' * 10**6)", ADDS, "wrong"),
        ("print(floor(2.5))", StdinTest("", "2"), "wrong"),
    ],
    ids=lambda value: value[:40].replace("\n", ";") if isinstance(value, str) else "",
)  # fmt: skip
def test_a_program_is_run_as_python_runs_it(program: str, test: StdinTest, outcome: str) -> None:
    verdict = judge(program, [test], seconds=1.5)
    assert verdict.outcome == outcome, verdict.reason


@pytest.mark.parametrize(
    ("printed", "expected", "tolerance", "same"),
    [
        ("0.333333333", "0.333333333333", 1e-6, True),
        ("0.3334", "0.333333333333", 1e-6, False),
        ("0.3334", "0.333333333333", 1e-3, True),
        ("1000000.5", "1000000.0", 1e-6, True),
        ("7.0", "7", 1e-6, True),
        ("7.0000001", "7", 1e-6, False),
        ("YES 0.5", "YES 0.50000001", 1e-6, True),
        ("NO 0.5", "YES 0.5", 1e-6, False),
        ("nan", "0.5", 1e-6, False),
        ("0.5", "0.50000001", 0, False),
        ("1e400", "1.0", 1e-6, False),
    ],
)
def test_numbers_with_a_point_have_a_tolerance_and_whole_ones_none(
    printed: str, expected: str, tolerance: float, same: bool
) -> None:
    assert close_output(printed, expected, tolerance) is same


def test_results_of_calls_have_the_same_tolerance() -> None:
    told = json.dumps({"list": [0.1 + 0.2, {"pairs": [["a", 1.0]]}]})
    assert close_result(told, '[0.3, {"a": 1}]', 1e-6)
    assert not close_result(told, '[0.3, {"a": 1}]', 0)
    assert not close_result(told, '[0.3, {"a": 2}]', 1e-6)
    assert not close_result(json.dumps(True), '"True"', 1e-6)


DIVISOR = """import json, sys
told = json.load(sys.stdin)
print("right" if told["answer"].strip().isdigit() and int(told["input"]) % int(told["answer"]) == 0 else "wrong")"""


@needs_sandbox
@pytest.mark.parametrize(
    ("test", "program", "outcome"),
    [
        ({"input": "12", "output": "2", "checker": DIVISOR}, "print(3)", "right"),
        ({"input": "12", "output": "2", "checker": DIVISOR}, "print(5)", "wrong"),
        ({"input": "12", "output": "2", "checker": "print(1 / 0)"}, "print(2)", "error"),
        ({"input": "12", "output": "2", "checker": "print('maybe')"}, "print(2)", "error"),
        ({"input": "", "output": "1.0", "tolerance": 0.1}, "print(1.05)", "right"),
        ({"function": "f", "arguments": "1", "result": "0.3", "tolerance": 0}, "def f(x): return 0.1 + 0.2", "wrong"),
        ({"function": "f", "arguments": "1", "result": "0.3"}, "def f(x): return 0.1 + 0.2", "right"),
        ({"function": "f", "arguments": "1", "result": "2"}, "# no class Solution here\ndef f(x): return x + 1", "right"),
        ({"function": "f", "arguments": "", "result": "2"}, "from __future__ import annotations\ndef f(): return 2", "right"),
        (
            {"function": "f", "arguments": "1", "result": "2"},
            "class Solution:\n    def f(self, x: List[int]): return x + 1",
            "right",
        ),
        ({"input": "", "output": "1", "tolerance": -1}, "print(1)", "error"),
        ({"input": "", "output": "1", "tolerance": True}, "print(1)", "error"),
        ({"statements": "assert f(1) == 2", "checker": "print(1)"}, "print(1)", "error"),
    ],
)
def test_tests_may_have_a_tolerance_and_a_checker(test: dict[str, object], program: str, outcome: str) -> None:
    verdict = verify_program(json.dumps({"tests": [test]}), f"```python\n{program}\n```")
    assert verdict.outcome == outcome, verdict.reason


@pytest.mark.parametrize(
    ("response", "program"),
    [
        ("```python\na = 1", "a = 1"),
        ("```python\na = 1\n```\nFor `3 4` it prints\n```\n7\n```", "a = 1"),
        ("```python\na = 1\n```\nWrap it in ``` if you post it.", "a = 1"),
        ("1. Code:\n   ```python\n   if a:\n     b\n   ```", "if a:\n  b"),
        ('````python\n"""\n```\n3 4\n```\n"""\na = 1\n````', '"""\n```\n3 4\n```\n"""\na = 1'),
        ("~~~py\na = 1\n~~~", "a = 1"),
        ("~~~\na = 1\n```\nb = 2\n~~~", "a = 1\n```\nb = 2"),
        ("```python\na = 1\n```\n```python\na = 2\n```", "a = 2"),
        ("```\na = 1\n```\n```bash\nls\n```", "a = 1"),
        ("```cpp\nint a;\n```", "int a;"),
        ("```` \na = 1\n```\n`````", "a = 1\n```"),
        ("``` a`b\nno fence", None),
        ("```python\n```", None),
        ("nothing", None),
        ("```{.python}\na = 1\n```", "a = 1"),
        ("```Python\r\na = 1\r\n```\r\n", "a = 1\r"),
    ],
)
def test_the_program_is_the_block_that_its_fence_calls_so(response: str, program: str | None) -> None:
    assert program_in(response, "python") == program


def test_blocks_know_their_names() -> None:
    assert [block.name for block in blocks("```C++ x\n1\n```\n~~~\n2\n~~~")] == ["c++", ""]


# ruff: noqa: E501
CHEATS = [
    "raise SystemExit(0)",
    "import os\nos._exit(0)",
    "class Same:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\ndef f(x): return Same()",
    "class Same(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef f(x): return Same(0)",
    "import builtins\nbuiltins.isinstance = lambda *a: True\ndef f(x): return object()",
    "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        for value in list(frame.f_locals.values()):\n"
    "            if isinstance(value, str) and '==' in value: return eval(value.split('==')[1])\n        frame = frame.f_back\n    return 0",
    "import gc\ndef f(x):\n    found = [o for o in gc.get_objects() if type(o) is list and 987654 in o]\n    return 987654 if found else 0",
    'import builtins, json\njson.dumps = lambda *a, **k: \'[["int", "987654"]]\'\nbuiltins.AssertionError = KeyError\ndef f(x): return 0',
    "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'0 5\\nTrue\\n')\n    except OSError: pass\ndef f(x): return 0",
    "import glob, re\ndef f(x):\n    text = ''\n    for path in [*glob.glob('/box/**', recursive=True), *glob.glob('/proc/[0-9]*/cmdline'), '/proc/self/fd/0']:\n"
    "        try: text += open(path, errors='replace').read()\n        except OSError: pass\n"
    "    found = re.findall('== ([0-9]{6})', text)\n    return int(found[-1]) if found else 0",
    "import threading, os, time\nthreading.Thread(target=lambda: (time.sleep(.01), os._exit(0))).start()\ndef f(x): time.sleep(1); return 0",
    "import sys\nsys.settrace(lambda *a: None)\nsys.excepthook = lambda *a: None\ndef f(x): raise ValueError",
]
FORMS = [
    "assert f(2) == 987654",
    "assert f(2) == (987654, {3})[0]",
    "import math\nassert math.isclose(f(2), 987654, rel_tol=1e-9)",
    "expected = 987654\nassert abs(f(2) - expected) < 1",
    "def check(candidate):\n    assert candidate(2) == 987654\n    assert candidate(3) == 987655\ncheck(f)",
]


@needs_sandbox
@pytest.mark.parametrize("statements", FORMS)
def test_a_right_program_passes_assertions_of_each_form_and_no_cheat_does(statements: str) -> None:
    assert judge("def f(x): return 987652 + x", [AssertTest(statements)], seconds=3).outcome == "right"
    assert judge("def f(x): return 987651 + x", [AssertTest(statements)], seconds=3).outcome == "wrong"
    for program in CHEATS if statements in FORMS[:2] else CHEATS[:6]:
        verdict = judge(program, [AssertTest(statements)], seconds=3)
        assert verdict.outcome == "wrong", (program, verdict.reason)


@needs_sandbox
@pytest.mark.parametrize(
    ("body", "statement", "outcome"),
    [
        ("return (1, 2)", "assert f(1) == (1, 2)", "right"),
        ("return [1, 2]", "assert f(1) == (1, 2)", "wrong"),
        ("return {1, 2}", "assert f(1) == {2, 1}", "right"),
        ("return {1: (2, 'a')}", "assert f(1) == {1: (2, 'a')}", "right"),
        ("return 1.0", "assert f(1) == 1", "right"),
        ("return True", "assert f(1)", "right"),
        ("return []", "assert not f(1)", "right"),
        ("return [3, 1]", "assert sorted(f(1)) == [1, 3]", "right"),
        ("return (n for n in [1, 2])", "assert list(f(1)) == [1, 2]", "right"),
        ("return 0.1 + 0.2", "assert f(1) == 0.3", "wrong"),
        ("return 0.1 + 0.2", "assert round(f(1), 6) == 0.3", "right"),
        ("return float('inf')", "assert f(1) == math.inf", "right"),
        ("import collections\n    return collections.Counter('aab')", "assert f(1) == {'a': 2, 'b': 1}", "right"),
        ("return b'a'", "assert f(1) == b'a'", "right"),
        ("return None", "assert f(1) is None", "right"),
        ("return 'a\\n\"'", "assert f(1) == 'a\\n\"' and len(f(1)) == 3", "right"),
        ("return 1 / 0", "assert f(1) == 1", "wrong"),
    ],
)
def test_results_of_python_s_own_types_are_told_as_they_are(body: str, statement: str, outcome: str) -> None:
    verdict = judge(f"def f(x):\n    {body}", [AssertTest(statement)], seconds=3)
    assert verdict.outcome == outcome, verdict.reason


def test_the_program_s_process_is_given_calls_only() -> None:
    parts = assertions.parted("limit = 5\nassert isclose(f(limit), 987654)\nassert g(1)[0].name == 'x'")
    assert parts.requests[:2] == (("run", "limit = 5"), ("value", "isclose(f(limit), 987654)")), (
        "a function nobody knows is the program's"
    )
    parts = assertions.parted("import math\nassert math.isclose(f(2), 987654)")
    assert parts.requests == (("run", "import math"), ("value", "f(2)"))
    assert "987654" not in json.dumps(parts.requests)


@pytest.mark.parametrize(
    "statements",
    [
        "for i in range(3):\n    assert f(i) == i",
        "assert all(f(i) == i for i in range(3))",
        "assert 1 == 1",
        "x = f(3)",
        "assert (",
        "try:\n    assert f(1) == 2\nexcept ValueError: pass",
    ],
)
def test_assertions_that_cannot_be_taken_apart_are_no_tests(statements: str) -> None:
    reason = unrunnable(json.dumps({"tests": [{"statements": statements}]}))
    assert reason is not None


@needs_sandbox
@pytest.mark.skipif(not SAMPLES.exists() or not RUNS.exists(), reason=f"{SAMPLES} or {RUNS} is not here")
@pytest.mark.parametrize(
    ("harness", "refused"),
    [("lcb-2025-01", set()), ("plain", set()), ("lcb-2025-05", {"abc303_d", "abc338_d", "abc359_d", "abc380_c"})],
)
def test_officially_right_programs_pass_their_sample_tests(harness: Harness, refused: set[str]) -> None:
    """A tenth of the 300, and the four that the later harness refuses: they read a line, then the rest."""
    samples = {row["question_id"]: row["tests"] for row in map(json.loads, SAMPLES.read_text(encoding="utf-8").splitlines())}
    runs = [json.loads(line) for line in RUNS.read_text(encoding="utf-8").splitlines()]
    right = [row for row in runs if row["question_id"] in samples and row["graded_list"][0]]
    four = {"abc303_d", "abc338_d", "abc359_d", "abc380_c"}
    chosen = [row for number, row in enumerate(right) if number % 10 == 0 or row["question_id"] in four]
    assert len(right) == 300
    failed = set()
    for row in chosen:
        tests = [StdinTest(case["input"], case["output"]) for case in samples[row["question_id"]]]
        if judge(extracted(row["output_list"][0]), tests, harness=harness).outcome != "right":
            failed.add(row["question_id"])
    assert failed == refused


ADDS_LATE = "import time\ntime.sleep(0.3)\nprint(sum(map(int, input().split())))"


def _stop_first(times: int, name: str) -> threading.Thread:
    """Stops the program, wherever it first appears, in so many of its runs."""

    def work() -> None:
        seen: set[int] = set()
        until = time.monotonic() + 20
        while len(seen) < times and time.monotonic() < until:
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if name in child.cmdline() and child.pid not in seen and child.name().startswith("python"):
                        child.suspend()
                        seen.add(child.pid)
            time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@needs_sandbox
@pytest.mark.parametrize(("times", "outcome"), [(1, "right"), (2, "error")])
@pytest.mark.parametrize(("harness", "tests"), [("plain", [ADDS]), ("plain", [ADDS, ADDS, ADDS])])
def test_a_program_that_the_clock_stopped_too_early_is_run_again_then_an_error(
    times: int, outcome: str, harness: Harness, tests: list[StdinTest]
) -> None:
    stopper = _stop_first(times, "/box/program.py")
    found = judge(ADDS_LATE, tests, seconds=0.2 if times == 2 else 0.4, harness=harness)
    stopper.join()
    assert found.outcome == outcome
    assert outcome == "right" or "1 s passed 2 times without 0.2 s of CPU time used" in found.reason


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("import time\ntime.sleep(99)", "error"),
        ("import os\nos.kill(os.getpid(), 19)", "error"),
        ("import threading\nthreading.Event().wait()", "error"),
        ("import os, time\nif os.fork() == 0:\n    while True: pass\ntime.sleep(99)", "wrong"),
        ("while True: pass", "wrong"),
    ],
)
@pytest.mark.parametrize("harness", ["plain", "lcb-2025-05"])
def test_only_a_program_that_used_its_time_is_too_slow(program: str, outcome: str, harness: Harness) -> None:
    assert judge(program, [ADDS], seconds=0.2, harness=harness).outcome == outcome


@needs_sandbox
def test_a_compiled_program_that_sleeps_is_run_again_then_an_error() -> None:
    ready = with_files("python", {"main.py": b"import time\ntime.sleep(99)"}, ("/usr/bin/python3", "-S", "/box/main.py"))
    with pytest.raises(
        StarvedError, match=r"1 s passed 2 times without 0\.2 s of CPU time used: it sleeps, or this machine is too busy"
    ):
        ready.run(b"", 0.2)
    busy = with_files("python", {"main.py": b"while True: pass"}, ("/usr/bin/python3", "-S", "/box/main.py"))
    assert busy.run(b"", 0.2).killed_for in ("time", "cpu")
