"""The stage, as a program: its files from problems and benchmarks to scores, and a user's mistakes as one line."""

import dataclasses
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from made import made

from stages.evaluate import main
from stages.reporting.evaluations import Benchmark, Evaluation
from stages.reporting.inputs import read_generations
from stages.rollout.engine import Prompt
from stages.rollout.scripted import ScriptedEngine
from stages.run.phases import hand_on
from stages.run.program import run
from stages.verifiers.sandbox import why_unavailable

ROOT = Path(__file__).resolve().parents[1]


def script(prompt: Prompt, _: int) -> str:
    return f"\\boxed{{{prompt.question.split()[0]}}}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A project in an empty folder: params.yaml, six held-out problems, one safetensors header, an AIME file, a scripted engine."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("K15_SPOOL", raising=False)
    engines = SimpleNamespace(load_engine=lambda *_: ScriptedEngine(script))
    monkeypatch.setitem(sys.modules, "stages.rollout.opening", engines)
    Path("model").mkdir()
    header = json.dumps({"w": {"dtype": "F32", "shape": [7, 3], "data_offsets": [0, 84]}}).encode()
    Path("model/config.json").write_text('{"model_type": "qwen2_5_vl"}')
    Path("model/model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    problems = [
        made(n, id=f"{family}-{n}", family=family, modality="image" if image else "text", question=f"{n} + 0?", image=image,
             answer=str(n), split="heldout")
        for family, image in (("sums", None), ("charts", "chart.png"))
        for n in range(3)
    ]  # fmt: skip
    Path("heldout.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in problems))
    Path("bench/aime2024").mkdir(parents=True)
    lines = [json.dumps({"id": n, "problem": f"{n} + 0?", "answer": f"{n:03}"}) for n in range(30)]
    Path("bench/aime2024/test.jsonl").write_text("\n".join(lines))

    def evaluate(**changes: Any) -> None:
        params = yaml.safe_load(Path("params.yaml").read_text())
        params["evaluate"] |= {"root": "bench", "benchmarks": [], **changes}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        arguments = "long_rl --model model --problems heldout.jsonl --out out/long_rl.json --generations raw/long_rl.jsonl"
        monkeypatch.setattr(sys, "argv", ["evaluate", *arguments.split()])
        run(main)

    return evaluate


def result() -> Any:
    return json.loads(Path("out/long_rl.json").read_text())


def test_scores_and_raw_responses_are_what_the_report_reads(project: Callable[..., None]) -> None:
    project(samples=2, benchmarks=["aime2024"])
    found = Evaluation.model_validate(result())
    assert found.overall.accuracy == 1.0
    assert (found.overall.n, found.overall.k, found.parameters) == (6, 2, 21)
    assert set(found.suites) == {"sums", "charts", "overall", "text", "image"}
    generations = read_generations(Path("raw"), ["long_rl"])["long_rl"]
    assert len(generations) == 6 * 2 + 30
    assert {row.outcome for row in generations if row.suite != "aime2024"} == {"right"}


def test_the_official_prompt_is_asked_and_the_score_is_labelled(project: Callable[..., None]) -> None:
    project(benchmarks=["aime2024"])
    aime = result()["benchmarks"]["aime2024"]
    assert (aime["accuracy"], aime["n"], aime["limited"], aime["stand_in"]) == (1.0, 30, False, False)
    assert (aime["title"], aime["metric"]) == ("AIME 2024", "Pass@1")
    assert "QwQ" in aime["prompt"]


def test_how_a_score_came_about_is_recorded(project: Callable[..., None]) -> None:
    project(benchmarks=["aime2024"], benchmark_samples=3, temperature=0.7)
    aime = result()["benchmarks"]["aime2024"]
    content = Path("bench/aime2024/test.jsonl").read_bytes()
    assert (aime["data"]["files"], aime["data"]["sha256"]) == (["test.jsonl"], hashlib.sha256(content).hexdigest())
    assert (aime["data"]["hub_id"], aime["data"]["revision"]) == ("math-ai/aime24", None)
    drawn = {"temperature": 0.7, "top_p": 1.0, "samples": 3, "max_tokens": 160}
    assert aime["decoding"] == {**drawn, "source": "evaluate of params.yaml"}
    assert (aime["shots"], aime["split"]) == (0, "the 30 problems of AIME I and II")
    assert set(aime["scorer"]) == {"code", "latex2sympy2-extended", "mpmath", "sympy", "langdetect"}
    assert aime["pass_at"] == {"1": 1.0, "2": 1.0, "3": 1.0}
    assert all(aime[name] for name in ("prompt", "extraction", "rule"))
    found = Evaluation.model_validate(result()).benchmarks["aime2024"]
    assert isinstance(found, Benchmark)
    assert found.data is not None
    assert found.decoding is not None


def test_absent_benchmarks_leave_a_reason_and_one_line(project: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    project(benchmarks=["math500", "aime2024"], limit=10)
    benchmarks = result()["benchmarks"]
    assert benchmarks["aime2024"]["limited"]
    assert benchmarks["aime2024"]["n"] == 10
    assert benchmarks["mathvision"]["missing"] == "not among the benchmarks of this run"
    reason = benchmarks["math500"]["missing"]
    assert reason.startswith(
        "bench/math500: MATH-500 needs test.jsonl or data/test-*.parquet or test-*.parquet or test.parquet there; "
        "get it by `hf download HuggingFaceH4/MATH-500"
    )
    assert capsys.readouterr().err == f"not scored: MATH-500: {reason}\n"


def small_batches() -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["hardware"]["generation_batch"] = 4
    Path("params.yaml").write_text(yaml.safe_dump(params))


def test_two_ranks_share_the_questions_and_the_first_hands_over(
    project: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small_batches()
    project(samples=2, benchmarks=["aime2024", "math500"])
    capsys.readouterr()
    alone = Path("out/long_rl.json").read_bytes(), Path("raw/long_rl.jsonl").read_bytes()
    shutil.rmtree("out")
    shutil.rmtree("raw")
    asked: dict[str, int] = {}

    def counting(prompt: Prompt, number: int) -> str:
        asked[os.environ["RANK"]] = asked.get(os.environ["RANK"], 0) + 1
        return script(prompt, number)

    monkeypatch.setattr(sys.modules["stages.rollout.opening"], "load_engine", lambda *_: ScriptedEngine(counting))
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        project(samples=2, benchmarks=["aime2024", "math500"])
        assert Path("out/long_rl.json").exists() == (rank == "0")
        assert capsys.readouterr().err.count("not scored: MATH-500") == (rank == "0"), "the first rank alone says so"
    assert (Path("out/long_rl.json").read_bytes(), Path("raw/long_rl.jsonl").read_bytes()) == alone
    assert sum(asked.values()) == 6 * 2 + 30
    assert min(asked.values()) > 16, "nothing is asked twice, and both ask"
    assert not Path("artifacts/state").exists() or not list(Path("artifacts/state").rglob("*.jsonl"))


def test_equal_runs_write_equal_bytes(project: Callable[..., None]) -> None:
    contents = []
    for _ in range(2):
        project(samples=3, benchmarks=["aime2024"])
        contents.append(Path("out/long_rl.json").read_bytes() + Path("raw/long_rl.jsonl").read_bytes())
    assert contents[0] == contents[1]


class KilledError(Exception):
    """In place of SIGKILL: the stage does not catch it."""


def test_after_a_kill_nothing_is_asked_again_and_the_end_is_the_same(
    project: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["hardware"]["generation_batch"] = 4
    Path("params.yaml").write_text(yaml.safe_dump(params))
    wanted: dict[str, Any] = {"samples": 2, "benchmarks": ["aime2024"], "limit": 10}
    project(**wanted)
    whole = Path("out/long_rl.json").read_bytes() + Path("raw/long_rl.jsonl").read_bytes()
    assert list(Path("artifacts/state/evaluate-long_rl").iterdir()) == [], "what is done needs no state"
    asked: list[str] = []

    def dying(prompt: Prompt, number: int) -> str:
        if len(asked) == limits[0]:
            raise KilledError
        asked.append(prompt.question)
        return script(prompt, number)

    limits = [9]
    engines = SimpleNamespace(load_engine=lambda *_: ScriptedEngine(dying))
    monkeypatch.setitem(sys.modules, "stages.rollout.opening", engines)
    Path("out/long_rl.json").unlink()
    Path("raw/long_rl.jsonl").unlink()
    with pytest.raises(KilledError):
        project(**wanted)
    assert not Path("out/long_rl.json").exists()
    limits[0] = -1
    project(**wanted)
    assert Path("out/long_rl.json").read_bytes() + Path("raw/long_rl.jsonl").read_bytes() == whole
    assert len(asked) == 9 + (6 * 2 + 10) - 8, "the two batches of four that were whole stay"


@pytest.mark.skipif(why_unavailable() is not None, reason="no sandbox: Codeforces programs are not run")
def test_several_programs_for_codeforces_are_voted_on(project: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three programs two agree on the inputs that the model wrote, and are right: they solve both problems of the contest."""
    folder = Path("bench/codeforces")
    folder.mkdir()
    rows = [[500.0 * (index // 50), index % 50, 800 + 10 * index] for index in range(210)]
    contest = {"contest_id": 1, "icpc": False, "points": {"A": 500, "B": 1000}, "rows": rows}
    (folder / "contests.jsonl").write_text(json.dumps(contest) + "\n")
    tests = [{"input": "4\n", "output": "8\n"}]
    problems = [{"contest_id": 1, "index": index, "statement": "Double it.", "tests": tests} for index in "AB"]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))

    def programs(prompt: Prompt, sample: int) -> str:
        if "test inputs" in prompt.question:
            return "```\n3\n```"
        if "Double it." not in prompt.question:
            return script(prompt, sample)
        program = ("print(int(input()) ** 2)", "print(int(input()) * 2)", "n = int(input())\nprint(n + n)")[sample]
        return f"```python\n{program}\n```"

    engines = SimpleNamespace(load_engine=lambda *_: ScriptedEngine(programs))
    monkeypatch.setitem(sys.modules, "stages.rollout.opening", engines)
    project(benchmarks=["codeforces"], benchmark_samples=3)
    found = result()["benchmarks"]["codeforces"]
    assert (found["k"], found["figures"]["voted"], found["figures"]["votes_without_inputs"]) == (3, 2, 0)
    assert found["figures"]["rating"] > 1000
    assert "majority vote" in found["rule"]


def test_a_benchmark_whose_tools_are_missing_is_not_asked(
    project: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stages.benchmarks.registry import BENCHMARKS

    lacking = dataclasses.replace(BENCHMARKS["aime2024"], unavailable=lambda: "tsc is not here; install it")
    monkeypatch.setitem(BENCHMARKS, "aime2024", lacking)
    project(benchmarks=["aime2024"])
    assert result()["benchmarks"]["aime2024"]["missing"] == "tsc is not here; install it"
    assert capsys.readouterr().err == "not scored: AIME 2024: tsc is not here; install it\n"
    assert "aime2024" not in Path("raw/long_rl.jsonl").read_text()


def test_progress_and_final_accuracy_go_to_the_spool(project: Callable[..., None]) -> None:
    project(samples=1)
    lines = [json.loads(line) for line in Path("artifacts/spool/evaluate@long_rl.jsonl").read_text().splitlines()]
    assert [line["progress"] for line in lines if "progress" in line][-1] == {"done": 6, "total": 6, "unit": "responses"}
    assert lines[-1]["step"] == 0
    assert lines[-1]["accuracy/overall"] == 1.0


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda: shutil.rmtree("model"), "error: model: no *.safetensors there; run the stage that makes this checkpoint"),
        (lambda: Path("heldout.jsonl").unlink(), "error: heldout.jsonl: no such file"),
        (lambda: Path("heldout.jsonl").write_text("{"), "error: heldout.jsonl:1: not JSON"),
        (lambda: Path("heldout.jsonl").write_text(""), "error: no held-out problems"),
    ],
)
def test_a_mistake_is_one_line(
    project: Callable[..., None], capsys: pytest.CaptureFixture[str], spoil: Callable[[], None], message: str
) -> None:
    spoil()
    with pytest.raises(SystemExit) as stopped:
        project()
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert not Path("out/long_rl.json").exists()


def test_importing_the_stage_loads_no_heavy_library() -> None:
    import subprocess

    program = (
        "import sys, stages.evaluate; print([n for n in ('torch', 'transformers', 'sympy', 'scipy', 'mlflow') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_a_checkpoint_that_was_handed_on_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Its score is that of the other one; no model is loaded, no problem read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "base" / name).write_text("{}")
    hand_on(Path("base"), Path("short_sft"), "sft.short")
    words = (
        "short_sft",
        "--model",
        "short_sft",
        "--problems",
        "none",
        "--out",
        "out/short_sft.json",
        "--generations",
        "rows.jsonl",
    )
    monkeypatch.setattr(sys, "argv", ["evaluate", *words])
    main()
    assert json.loads(Path("out/short_sft.json").read_text()) == {
        "checkpoint": "short_sft",
        "same_as": "base",
        "null": ["sft.short"],
    }
    assert Path("rows.jsonl").read_text() == ""
    assert "short_sft has the score of base" in capsys.readouterr().out
