"""The command `k15 score`, from the shell: last line, verdict file, help, one line for a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows import k15
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError


@pytest.fixture
def case(tmp_path: Path) -> Path:
    folder = tmp_path / "mathvista"
    folder.mkdir()
    entry = {"question": "q", "image": "images/1.jpg", "choices": None, "precision": None, "answer": "2", "pid": "1"}
    kind = {"question_type": "free_form", "answer_type": "integer", "metadata": {"task": "t"}}
    (folder / "testmini.json").write_text(json.dumps({"1": {**entry, **kind}, "2": {**entry, **kind, "pid": "2"}}))
    (tmp_path / "r.jsonl").write_text('{"pid": "1", "extraction": "2.0"}\n{"pid": "9", "response": "\\ud800 2"}\n')
    return tmp_path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.k15", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_last_line_is_the_result_and_the_verdicts_are_written(case: Path) -> None:
    arguments = ["score", "mathvista", "--data", str(case), "--responses", str(case / "r.jsonl")]
    first = run(*arguments, "--verdicts", str(case / "one.jsonl"))
    second = run(*arguments, "--verdicts", str(case / "two.jsonl"))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert (case / "one.jsonl").read_bytes() == (case / "two.jsonl").read_bytes()
    result = json.loads(first.stdout.splitlines()[-1])
    assert {"benchmark", "metric", "score", "n", "k", "stderr", "ci95", "errors"} <= set(result)
    assert (result["score"], result["n"], result["missing_ids"], result["unmatched_ids"]) == (50.0, 2, ["2"], ["9"])
    assert "1 items without a response count as wrong: 2" in first.stdout
    (row,) = [json.loads(line) for line in (case / "one.jsonl").read_text().splitlines()]
    assert row.items() >= {"id": "1", "correct": True, "extracted": "2", "reason": "equal to the answer as integer"}.items()
    assert json.loads(run(*arguments, "--rule", "published").stdout.splitlines()[-1])["score"] == 0.0
    command = [sys.executable, "-m", "flows.k15", *arguments]
    both = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=120).stdout
    assert json.loads(both.splitlines()[-1]) == result, "last where both streams are one, too"
    assert "scored in" in both


@pytest.mark.parametrize(
    "change, message",
    [
        (["--rule", "old"], "error: MathVista-Test has no rule 'old' beside its default; it has published"),
        (["--data", "nowhere"], "error: nowhere: MathVista-Test needs testmini.json or"),
        (["--responses", "nowhere.jsonl"], "error: nowhere.jsonl: no such file"),
        (["--workers", "0"], "error: --workers must be at least 1"),
    ],
)
def test_a_mistake_is_one_line(case: Path, change: list[str], message: str) -> None:
    done = run("score", "mathvista", "--data", str(case), "--responses", str(case / "r.jsonl"), *change)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_names_every_benchmark_and_rule(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        k15.parser().parse_args(["score", "--help"])
    text = " ".join(capsys.readouterr().out.split())  # the terminal's width decides the line breaks
    assert all(name in text and benchmark.title in text for name, benchmark in BENCHMARKS.items())
    assert "mathvista: published" in text
    assert "--verdicts" in text


def test_the_command_loads_no_model() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, flows.k15; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert not {"torch", "transformers", "deepspeed", "prefect", "dvc", "math_verify"} & set(done.stdout.split())


def test_a_rule_is_chosen_by_name() -> None:
    assert k15._chosen("aime2024", "after-thinking").keeps_thinking is False
    assert k15._chosen("aime2024", "whole-response").keeps_thinking is True
    with pytest.raises(DataError, match="MMLU has no rule"):
        k15._chosen("mmlu", "macro")
