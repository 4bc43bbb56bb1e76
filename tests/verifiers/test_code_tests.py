"""Programs judged by tests: the official comparisons, and programs that would rather pass without solving anything."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verifiers import code_rewards, programs
from stages.verifiers.code_tests import AssertTest, CallTest, StdinTest, judge, outputs_of, same_output
from stages.verifiers.languages import missing
from stages.verifiers.programs import Harness
from stages.verifiers.sandbox import why_unavailable

CASES = [json.loads(line) for line in Path("tests/cases/code_outputs.jsonl").read_text().splitlines()]
REASON = why_unavailable() or missing("python")
needs_sandbox = pytest.mark.skipif(REASON is not None, reason=str(REASON))
HARNESSES: tuple[Harness, ...] = ("plain", "lcb-2025-01", "lcb-2025-05")
ADDS = AssertTest("assert add(1, 2) == 3\nassert add(2, 2) == 4")
DOUBLES = [StdinTest(f"{number}\n", f"{2 * number}\n") for number in range(6)]


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_outputs_are_compared_as_the_harness_does(case: dict[str, Any]) -> None:
    assert same_output(case["printed"], case["expected"]) is case["same"]


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_comparison_never_fails_and_knows_equals(first: str, second: str) -> None:
    assert same_output(first, first)
    assert same_output(first, second) in (True, False)


def test_a_long_output_is_compared_in_time() -> None:
    start = time.monotonic()
    assert not same_output("9" * 5_000_000, "1")
    assert not same_output("1 " * 1_000_000, "1 " * 999_999 + "2")
    assert time.monotonic() - start < 10


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("n = int(input())\nprint(2 * n)", None),
        ("import sys\nfor line in sys.stdin:\n    print(int(line) * 2 if line.strip() else '')", None),
        ("def main():\n    print(2 * int(input()))\nif __name__ == '__main__':\n    main()", None),
        ("print(2 * int(input()))\nexit()", None),
        ("print(floor(sqrt(4)) * int(input()))", None),
        ("import numpy as np\nprint(np.int64(2) * int(input()))", None),
        ("print(3)", "test 1 of 6: gave '3\\n'"),
        ("n = int(input())\nprint(2 * n if n < 3 else 0)", "test 4 of 6: gave '0\\n'"),
        ("print(1 / 0)", "test 1 of 6: status 1 (ZeroDivisionError: division by zero)"),
        ("import os\nos._exit(0)", "test 1 of 6: gave ''"),
        ("def f(:", "test 1 of 6: status 1 (SyntaxError: invalid syntax)"),
        ("while True: pass", "test 1 of 6: stopped for time"),
        ("x = [0] * 10 ** 11", "test 1 of 6: status 1 (MemoryError)"),
        ("class Solution: pass\nprint(2 * int(input()))", "test 1 of 6: status 1 (TypeError: a class Solution in a program"),
        ("print(open(0).read())", "test 1 of 6: gave '\\n'"),
    ],
)
def test_programs_that_read_standard_input_by_the_harness_of_livecodebench(program: str, reason: str | None) -> None:
    verdict = judge(program, DOUBLES, seconds=3, harness="lcb-2025-01")
    assert verdict.outcome == ("right" if reason is None else "wrong"), verdict.reason
    assert verdict.reason.startswith(reason or "passes 6 tests")


@needs_sandbox
@pytest.mark.parametrize(
    ("body", "result", "outcome"),
    [
        ("return [a, b]", "[1, [2]]", "right"),
        ("return (a, b)", "[1, [2]]", "right"),
        ("return [(a,), b]", "[[1], [2]]", "wrong"),
        ("return a == 1", "1", "right"),
        ("return 1.0", "1", "right"),
        ("return 0.1 + 0.2", "0.3", "wrong"),
        ("import numpy\n        return numpy.int64(a)", "1", "right"),
        ("return {1: 2}", '{"1": 2}', "wrong"),
        ("from collections import Counter\n        return Counter('a')", '{"a": 1}', "right"),
        ("return {1}", "[1]", "wrong"),
        ("return None", "null", "right"),
        ("print('noise'); return 'x'", '"x"', "right"),
        ("class All:\n            def __eq__(self, other): return True\n        return All()", "5", "wrong"),
        ("import os, json; os.write(1, b'5'); os._exit(0)", "5", "wrong"),
        ("raise SystemExit(0)", "5", "wrong"),
        ("x = []; x.append(x); return x", "[]", "wrong"),
        ("return {'not JSON': True}", '{"not JSON": true}', "right"),
    ],
)
def test_results_of_calls_are_compared_as_python_does(body: str, result: str, outcome: str) -> None:
    program = f"class Solution:\n    def solve(self, a: List[int], b):\n        {body}\n"
    tests = [CallTest("solve", "1\n[2]", result, tolerance=0)]
    for harness in HARNESSES:
        verdict = judge(program, tests, seconds=5, harness=harness)
        assert verdict.outcome == outcome, verdict.reason


@needs_sandbox
@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(0)",
        "exit()",
        "import os\nos._exit(0)",
        "import os\nos.kill(os.getpid(), 9)",
        "import sys, os\nsys.excepthook = lambda *a: os._exit(0)\ndef add(a, b): return 0",
        "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b): return 0",
        "def add(a, b):\n    import os\n    print('all tests passed')\n    os._exit(0)",
        "import builtins\nbuiltins.AssertionError = type('Quiet', (BaseException,), {})\ndef add(a, b): return 0",
        "import os, sys\nos.write(1, b'x' * 32)\nos._exit(0)",
        "import os, threading, time\nthreading.Thread(target=lambda: (time.sleep(0.01), os._exit(0))).start()\n"
        "def add(a, b): time.sleep(1); return 0",
        "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nif os.fork(): os._exit(0)\ndef add(a, b): return 0",
        "open('/box/sandboxed_asserts.py', 'w').write('')\ndef add(a, b): return 3",
        "import builtins\nbuiltins.compile = lambda *a, **k: 'pass'\ndef add(a, b): return 0",
        "import builtins\nbuiltins.exec = lambda *a, **k: None\nimport os\nos._exit = lambda n: None\ndef add(a, b): return 0",
    ],
)
def test_a_program_does_not_pass_its_assertions_without_solving_them(program: str) -> None:
    verdict = judge(program, [ADDS], seconds=5)
    assert verdict.outcome == "wrong", verdict.reason


@needs_sandbox
def test_what_the_expected_outputs_are_is_never_inside() -> None:
    """A program that prints everything it can find: files, its parent's memory map, arguments."""
    program = """
import glob, os, sys
seen = sys.stdin.read() + str(sys.argv) + str(dict(os.environ))
for path in [*glob.glob('/box/*'), '/input', *glob.glob('/proc/[0-9]*/cmdline'), *glob.glob('/proc/[0-9]*/environ')]:
    try: seen += open(path, errors='replace').read()
    except OSError: pass
print(seen)
"""
    (seen,) = outputs_of(program, ["question\n"])
    assert seen is not None
    assert "question" in seen
    verdict = judge(program, [StdinTest("question\n", "swordfish\n")])
    assert verdict.outcome == "wrong"
    assert "swordfish" not in seen + verdict.reason


@needs_sandbox
def test_tests_do_not_see_each_other() -> None:
    program = "import os\nprint(os.path.exists('/tmp/mark') or 'x' in globals())\nglobals()['x'] = 1"
    assert outputs_of(program, ["", "", ""]) == ["False\n"] * 3


@needs_sandbox
def test_each_test_has_its_own_time() -> None:
    program = "import time\ntime.sleep(0.6)\nprint(2 * int(input()))"
    assert judge(program, DOUBLES[:4], seconds=1.5).outcome == "right"


@needs_sandbox
def test_an_unjoined_thread_that_takes_long_is_lost_as_in_the_harness() -> None:
    program = "import threading, time\ndef main():\n    time.sleep(0.3)\n    print(2 * int(input()))\n"
    program += "t = threading.Thread(target=main)\nt.start()"
    assert judge(program, DOUBLES[:1], harness="lcb-2025-01").outcome == "wrong"
    assert judge(f"{program}\nt.join()", DOUBLES[:1], harness="lcb-2025-01").outcome == "right"
    assert judge(program, DOUBLES[:1]).outcome == "right", "plainly Python waits for its threads"


def test_without_a_sandbox_there_is_an_error_and_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.verifiers.sandbox.why_unavailable", lambda: "no bubblewrap here")
    if missing("python") is None:
        verdict = judge("print(1)", DOUBLES)
        assert (verdict.outcome, verdict.reason) == ("error", "no bubblewrap here")
    monkeypatch.setattr(code_rewards, "why_unavailable", lambda: "no bubblewrap here")
    gold = json.dumps({"tests": [{"input": "1", "output": "2"}]})
    assert code_rewards.verify_program(gold, "```python\nprint(2)\n```").outcome == "error"


def test_a_program_without_tests_is_nobodys_success() -> None:
    with pytest.raises(ValueError, match="without tests"):
        judge("print(1)", [])


@needs_sandbox
@pytest.mark.parametrize("program", ["\ud800", "x" * (2 << 20), "\0", "(" * 100_000, ""])
def test_what_is_no_program_is_wrong(program: str) -> None:
    assert judge(program, DOUBLES[:1]).outcome == "wrong"


@needs_sandbox
@pytest.mark.parametrize(
    ("tests", "response", "outcome"),
    [
        ([{"input": "3", "output": "6"}], "<think>```\nprint(1)\n```</think>So:\n```python\nprint(2 * int(input()))\n```", "right"),
        ([{"function": "f", "arguments": "1\n2", "result": "3"}], "```\ndef f(a, b): return a + b\n```", "right"),
        ([{"statements": "assert f(1) == 2"}], "```\ndef f(a): return a\n```", "wrong"),
        ([{"input": "3", "output": "6"}], "print(6)", "wrong"),
        ([{"input": "3"}], "```\nprint(6)\n```", "error"),
        ([], "```\nprint(6)\n```", "error"),
    ],
)
def test_rewards_of_code(tests: list[dict[str, str]], response: str, outcome: str) -> None:
    (verdict,) = code_rewards.verify_programs([(json.dumps({"tests": tests}), response)])
    assert verdict.outcome == outcome, verdict.reason


COBOL = '{"language": "cobol", "tests": [{"input": "", "output": ""}]}'


@pytest.mark.parametrize("gold", ["", "[]", "{", '{"tests": "x"}', COBOL, "[" * 9999])
def test_gold_answers_that_are_no_tests_are_errors(gold: str) -> None:
    assert code_rewards.verify_program(gold, "```\nprint(1)\n```").outcome == "error"


def test_the_harness_files_exist() -> None:
    assert programs.source_of("sandboxed_tests").startswith(b'"""Runs inside')
    assert programs.source_of("sandboxed_asserts").startswith(b'"""Runs inside')
    assert programs.source_of("sandboxed_plain").startswith(b'"""Runs inside')
