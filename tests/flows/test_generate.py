"""`k15 generate` from the shell: a real model server with pictures, a kill in the middle, the embedded engine, mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import architectures
import pytest
from chat_server import Reply, asked, completion, served
from PIL import Image
from programs import free_port
from tiny import Tiny

from flows import k15
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError
from stages.models.scratch import TinyShape, build_model, build_processor, save
from stages.reporting.evaluations import Evaluation
from stages.rollout.transformers_engine import open_engine

ITEMS = 12
TOKENS = 20


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve problems in words, and three with one, three and no marked pictures, in the published formats."""
    root = tmp_path_factory.mktemp("bench")
    (root / "math500").mkdir()
    lines = [
        {
            "unique_id": f"test/{n}.json",
            "problem": f"What is {n} + {n * n}?",
            "answer": str(n + n * n),
            "subject": "Algebra",
            "level": 1,
        }
        for n in range(ITEMS)
    ]
    (root / "math500/test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (root / "mmmu").mkdir()
    rows = []
    for number, question in enumerate(("What is <image 1>?", "<image 2> or <image 1> or <image 3>?", "Which?"), 1):
        names = [f"{number}{letter}.png" for letter in "abc"[: 3 if number == 2 else 1]]
        for place, name in enumerate(names):
            Image.new("RGB", (32 + 16 * place, 48), (90 * number % 256, 80 * place, 30)).save(root / "mmmu" / name)
        rows.append({"id": f"validation_Art_{number}", "question": question, "options": ["red", "<image 1>"], "answer": "A"})
        rows[-1] |= {"question_type": "multiple-choice", "images": names}
    (root / "mmmu/val_questions_with_images.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


@pytest.fixture(scope="module")
def checkpoint(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model that writes more than line ends, and what our engine never draws forbidden to others too."""
    folder = tmp_path_factory.mktemp("served")
    tokenizer = tiny.renderer().processor.tokenizer
    model = build_model(tokenizer, TinyShape(32, 2, 2, 1024, 0.4), 3)
    save(folder, model, build_processor(tokenizer, 256 * 64))
    engine: Any = open_engine(str(folder), None, None, 1)
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(config | {"suppress_tokens": engine.banned.tolist()}))
    return folder


class Server:
    """transformers' own server, started as its documentation says."""

    def __init__(self, model: Path, log: Path) -> None:
        port = free_port()
        self.log, self.address = log, f"http://127.0.0.1:{port}/v1"
        program = Path(sys.executable).with_name("transformers")
        words = [
            str(program),
            "serve",
            str(model),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--device",
            "cpu",
            "--dtype",
            "float32",
        ]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                words, stdout=out, stderr=out, env={**os.environ, "HF_HUB_OFFLINE": "1"}, start_new_session=True
            )
        deadline = time.monotonic() + 300
        while "Uvicorn running" not in log.read_text():
            assert self.process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)

    def requests(self) -> int:
        """Completions asked for so far, as the server itself counts."""
        return self.log.read_text().count('"POST /v1/chat/completions')

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(checkpoint, tmp_path_factory.mktemp("server") / "log.txt")
    yield found
    found.stop()


def generate(*words: str | Path) -> int:
    args = k15.parser().parse_args(["generate", *map(str, words)])
    return int(args.run(args))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_a_real_server_gives_what_the_embedded_engine_gives(
    bench: Path, checkpoint: Path, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Greedy, text and pictures: the same prompts in tokens, the same answers."""
    common = ["math500,mmmu", "--data", bench, "--limit", "3", "--max-tokens", str(TOKENS), "--model", checkpoint]
    assert generate(*common, "--out", tmp_path / "here") == 0
    assert generate(*common, "--out", tmp_path / "there", "--endpoint", server.address, "--concurrency", "2") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    for name in ("math500", "mmmu"):
        here, there = rows(tmp_path / f"here/{name}.jsonl"), rows(tmp_path / f"there/{name}.jsonl")
        assert [row["response"].strip() for row in here] == [row["response"] for row in there], "the server trims its answers"
        for field in ("id", "prompt_tokens", "tokens", "finish", "prompt_hash"):
            assert [row[field] for row in here] == [row[field] for row in there], field
        assert len({row["response"] for row in there}) > 1, "answers that are all the same show nothing"
    everything = rows(tmp_path / "there/math500.jsonl") + rows(tmp_path / "there/mmmu.jsonl")
    assert told["prompt_tokens"] == sum(row["prompt_tokens"] for row in everything)
    assert told["tokens"] == sum(row["tokens"] for row in everything)


@pytest.mark.slow
def test_after_a_kill_no_item_is_asked_twice(bench: Path, checkpoint: Path, server: Server, tmp_path: Path) -> None:
    words = ["math500", "--data", bench, "--out", tmp_path / "out", "--model", checkpoint, "--endpoint", server.address]
    command = [sys.executable, "-m", "flows.k15", "generate", *map(str, words), "--concurrency", "1", "--max-tokens", str(TOKENS)]
    before, path = server.requests(), tmp_path / "out/math500.jsonl"
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not path.exists() or len(path.read_bytes().splitlines()) < 3:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.kill()
    run.wait()
    kept = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    assert 3 <= len(kept) < ITEMS, "killed in the middle"
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(done.stdout.splitlines()[-1])["responses"] == ITEMS
    assert path.read_bytes().startswith(b"".join(kept)), "what was answered stays as it was"
    assert ITEMS <= server.requests() - before <= ITEMS + 1, "all once, but for the one that was under way at the kill"
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert again.stdout == done.stdout
    assert server.requests() - before <= ITEMS + 1


def right(_: int, body: dict[str, Any]) -> Reply:
    """The sum of the two numbers in the question, thought about apart."""
    first, second = (int(word.strip("?")) for word in asked(body).split()[2:5:2])
    return completion(f"It is \\boxed{{{first + second}}}.", reasoning_content="\\boxed{0}?")


def test_what_is_written_can_be_scored_again_and_stand_in_the_report(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the answers right: the same score from the column and from `k15 score`, whose error and interval agree too."""

    def script(number: int, body: dict[str, Any]) -> Reply:
        return right(number, body) if int(asked(body).split()[2]) % 2 else completion("I do not know.", "length")

    with served(script) as seen:
        code = generate(
            "math500", "--data", bench, "--out", tmp_path, "--model", "org/one", "--endpoint", seen.address, "--samples", "2"
        )
    assert code == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last == {
        "responses": 24, "excluded": 0, "failed": 0, "prompt_tokens": 168, "tokens": 72, "uncounted": 0,
        "scores": str(tmp_path / "scores.json"),
    }  # fmt: skip
    column = json.loads((tmp_path / "scores.json").read_text())
    assert (column["checkpoint"], column["parameters"], column["suites"]) == ("one", None, {})
    assert column["settings"].items() >= {"protocol": "short", "seed": 0, "model": "org/one", "endpoint": seen.address}.items()
    assert set(column["benchmarks"]) == set(BENCHMARKS)
    cell = column["benchmarks"]["math500"]
    assert (cell["accuracy"], cell["n"], cell["k"], cell["truncated"], cell["mean_tokens"]) == (0.5, 12, 2, 0.5, 3.0)
    assert cell["part"] == "the file holds 12 of 500 items"
    assert cell["decoding"].items() >= {"temperature": 0.0, "samples": 2, "max_tokens": 8192}.items()
    assert column["benchmarks"]["mmlu"]["missing"] == "not among the benchmarks of this run"
    whole = {
        "accuracy": 1,
        "ci95": [1, 1],
        "mean_tokens": 1,
        "p95_tokens": 1,
        "n": 1,
        "k": 1,
        "truncated": 0,
        "unparsed": 0,
        "errors": 0,
    }
    Evaluation.model_validate({**column, "parameters": 1, "suites": {"overall": {**whole, "stand_in": True}}})

    args = k15.parser().parse_args(["score", "math500", "--data", str(bench), "--responses", str(tmp_path / "math500.jsonl")])
    assert args.run(args) == 0
    scored = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (scored["score"], scored["n"], scored["k"], scored["missing"]) == (50.0, 12, 2, 0)
    assert scored["ci95"] == [round(100 * bound, 2) for bound in cell["ci95"]]
    assert scored["stderr"] == round(100 * cell["stderr"], 2)
    assert {row["reasoning_content"] for row in rows(tmp_path / "math500.jsonl")} == {None, "\\boxed{0}?"}


def test_failures_are_named_leave_no_score_and_are_asked_again(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["math500", "--data", bench, "--out", tmp_path, "--model", "m", "--retries", "0", "--endpoint"]
    with served(lambda n, body: Reply(500) if asked(body).startswith("What is 3 ") else right(n, body)) as seen:
        assert generate(*words, seen.address) == 1
    told = capsys.readouterr()
    assert "failed: math500 test/3.json: status 500" in told.err
    assert "1 responses failed; the same command asks them again" in told.err
    assert json.loads(told.out.splitlines()[-1])["failed"] == 1
    missing = json.loads((tmp_path / "scores.json").read_text())["benchmarks"]["math500"]["missing"]
    assert missing.startswith("1 of 12 responses failed, the first of 'test/3.json': status 500")
    with served(right) as seen:
        assert generate(*words, seen.address) == 0
        assert [asked(body).split("\n")[0] for body in seen.bodies] == ["What is 3 + 9?"]
    assert json.loads((tmp_path / "scores.json").read_text())["benchmarks"]["math500"]["accuracy"] == 1.0


def test_a_server_that_goes_away_costs_what_it_did_not_answer(bench: Path, tmp_path: Path) -> None:
    words = ["math500", "--data", bench, "--out", tmp_path, "--model", "m", "--concurrency", "1", "--endpoint"]
    with served(lambda n, body: right(n, body) if n < 5 else Reply(401)) as seen, pytest.raises(DataError, match="is not accepted"):
        generate(*words, seen.address)
    assert len(rows(tmp_path / "math500.jsonl")) == 5
    with served(right) as seen:
        assert generate(*words, seen.address) == 0
        assert len(seen.bodies) == ITEMS - 5


def test_an_interrupted_run_says_how_to_go_on(bench: Path, tmp_path: Path) -> None:
    with served(lambda n, body: Reply(200, right(n, body).body, seconds=0.0 if n < 3 else 60.0)) as seen:
        words = ["math500", "--data", bench, "--out", tmp_path, "--model", "m", "--endpoint", seen.address, "--concurrency", "1"]
        run = subprocess.Popen(
            [sys.executable, "-m", "flows.k15", "generate", *map(str, words)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell ignores it for what it starts behind "&"
        )
        while len(seen.bodies) < 4:
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=30)
    assert run.returncode == 130
    assert error.endswith("interrupted; the same command goes on where it stopped\n")
    assert "Traceback" not in error
    assert len(rows(tmp_path / "math500.jsonl")) == 3


def test_one_run_at_a_time_writes_to_a_folder(bench: Path, tmp_path: Path) -> None:
    words = ["math500", "--data", bench, "--out", tmp_path, "--model", "m", "--endpoint"]

    def script(number: int, body: dict[str, Any]) -> Reply:
        if number == 0:
            with pytest.raises(DataError, match="another run writes there"):
                generate(*words, seen.address)
        return right(number, body)

    with served(script) as seen:
        assert generate(*words, seen.address) == 0
        assert len(seen.bodies) == ITEMS


def test_a_text_only_model_is_asked_no_pictures(bench: Path, tiny: Tiny, tmp_path: Path) -> None:
    model = tmp_path / "llama"
    architectures.save("llama", (problem.question for problem in tiny.problems), model)
    words = ["--data", bench, "--out", tmp_path / "out", "--model", model, "--context", "256"]
    assert generate("math500,mmmu", *words, "--limit", "2", "--max-tokens", "4") == 0
    cells = json.loads((tmp_path / "out/scores.json").read_text())["benchmarks"]
    assert cells["math500"]["n"] == 2
    assert cells["mmmu"]["missing"] == "text-only model"
    assert not (tmp_path / "out/mmmu.jsonl").exists()
    message = "a text-only model reads no pictures, and each item of mmmu has one"
    with pytest.raises(DataError, match=message):
        generate("mmmu", *words)


@pytest.mark.parametrize(
    "change, message",
    [
        (["mmlx"], "no benchmark 'mmlx'; there are all, mmlu,"),
        (["--data", "nowhere"], "nowhere: the data of no benchmark is there, so there is nothing to ask"),
        (["--endpoint", "http://models.example/v1"], "no key; put yours into the environment variable OPENAI_API_KEY"),
        (["--model", "Qwen/Qwen2.5-VL-3B-Instruct"], "no such folder, and a hub id needs --revision COMMIT"),
        (["--limit", "0"], "--limit must be at least 1"),
        (["--temperature", "-1"], "--temperature must be at least 0"),
        (["--top-p", "nan"], "--top-p above 0 and at most 1"),
        (["--request", "{}"], "--request means nothing without --endpoint"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--request", "{"], "--request: not JSON"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--request", "[]"], "--request: expected a JSON object, found list"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--context", "9"], "mean nothing with --endpoint"),
    ],
)
def test_a_mistake_is_one_line(
    bench: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: list[str], message: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    words = ["math500", "--data", str(bench), "--out", str(tmp_path), "--model", str(checkpoint)]
    if not change[0].startswith("--"):
        words = words[1:]
    with pytest.raises(DataError, match=message) as caught:
        generate(*words, *change)
    assert "\n" not in str(caught.value)


def test_help_says_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        k15.parser().parse_args(["generate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert all(name in text for name in [*BENCHMARKS, "reasoning_content", "OPENAI_API_KEY", "--revision", "exit code"])
