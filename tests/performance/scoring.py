"""Scoring given outputs: seconds of a whole `k15 score`, start included, on published responses of a whole benchmark.

The other side is the target: 541 responses of IF-Eval in 20 s, 3,040 of MATH-Vision in 60 s, 500 of MATH-500 in 30 s, on 2 cores.
Those of IF-Eval and MATH-Vision are published outputs; no published run of MATH-500 is at hand, so its responses are made here: the
answers as another publisher writes them (85 of 500 differ as text), every third one replaced by that of the next problem. Where the
files are not beside the checkout (../shared/bench, ../shared/conformance) nothing is measured."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROOT, Row, seconds

BENCH, RUNS = ROOT / "../shared/bench", ROOT / "../shared/conformance"
CORES = 2
TARGETS = {"ifeval": (541, 20.0), "mathvision": (3040, 60.0), "math500": (500, 30.0)}
"""Responses, and the most seconds that they may take."""


def run(repeats: int) -> list[Row]:
    """A row for each benchmark, on at most two cores."""
    if not BENCH.exists() or not RUNS.exists():
        raise SystemExit(f"scoring: {BENCH} and {RUNS} must hold the published files and outputs")
    given = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(given)[:CORES]))
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "math500.jsonl"
            made.write_text(math500_responses(), encoding="utf-8")
            files = {"ifeval": largest("ifeval"), "mathvision": largest("mathvision"), "math500": made}
            return [measured(name, files[name], repeats) for name in TARGETS]
    finally:
        os.sched_setaffinity(0, given)


def measured(name: str, responses: Path, repeats: int) -> Row:
    """Seconds of the command, and what it says."""
    count, target = TARGETS[name]
    command = [sys.executable, "-m", "flows.k15", "score", name, "--data", str(BENCH), "--responses", str(responses)]
    told: list[str] = []

    def once() -> None:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        told.append(done.stdout.splitlines()[-1])

    taken = [seconds(once) for _ in range(repeats)]
    assert len(set(told)) == 1, "the same responses, the same line"
    result = json.loads(told[0])
    assert result["responses"] == count, (name, result["responses"])
    notes = {"score": result["score"], "errors": result["errors"], "responses_of": responses.name}
    sizes = {"responses": count, "cores": CORES, "workers": 2}
    return Row(f"k15 score {name}", "s", taken, [target] * repeats, "the target", 1.0, sizes, "seconds", notes)


def largest(name: str) -> Path:
    """The published file with the most text: the slowest one."""
    return max((RUNS / name).glob("*.jsonl"), key=lambda path: path.stat().st_size)


def math500_responses() -> str:
    """500 rows, as the docstring of this module says."""
    golds = _rows(BENCH / "math500/test.jsonl")
    others = {row["problem"]: str(row["expected_answer"]) for row in _rows(BENCH / "math500/test_prime_expected_answer.jsonl")}
    answers = [others[row["problem"]] for row in golds]
    chosen = [answers[(number + (number % 3 == 2)) % len(answers)] for number in range(len(answers))]
    rows = [
        {"unique_id": row["unique_id"], "response": f"So \\boxed{{{answer}}}."} for row, answer in zip(golds, chosen, strict=True)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
