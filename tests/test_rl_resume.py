"""RL that is killed with -9 at any moment and started again, as often as it takes, ends with the same bits: weights, curves, and
the buffer of unfinished responses. The moments are those of the phases (a hook of the test holds the program there), and random."""

import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from programs import _stage, ended, free_port, started
from tiny import Tiny, write_params

from stages.data.files import write_records

SEED = int(os.environ.get("K15_TEST_SEED") or random.randrange(1 << 30))
ITERATIONS = 9
ARGUMENTS = ["long", "--prompt-set", "problems.jsonl", "--validation", "validation.jsonl", "--out", "out", "--curves", "curves.csv"]
RL = {
    "iterations": ITERATIONS,
    "prompts": 4,
    "samples": 2,
    "max_tokens": 12,
    "mini_batch": 4,
    "passes": 1,
    "length_weight": 0.5,
    "length_from": 0,
    "curriculum_until": 0,
    "hard_pass_rate": 1.0,
    "prioritized": True,
    "train_zero_signal": True,
    "learning_rate": 0.01,
    "validate_every": 4,
}
PHASES = {
    "generating": ("stages.rollout.transformers_engine", "TransformersEngine.extend"),
    "scoring": ("stages.policy.experience", "verify_all"),
    "training": ("stages.training.engine", "optimizer_step"),
    "saving": ("torch", "save"),
    "renaming": ("stages.training.checkpoints", "put_in_place"),
}


def project(folder: Path, tiny: Tiny, iterations: int = ITERATIONS, **changed: Any) -> list[str]:
    """A folder to run in, with responses that take up to three iterations; the program's arguments. So that random weights end some
    responses, one token in twelve is an end token."""
    repetition = {"max_period": 2, "repeats": 2, "min_tokens": 2, "distinct": 1, "plain_tokens": 2}
    partial = {"segment_tokens": 5, "max_staleness": 4, "repetition": repetition, **changed}
    shutil.copytree(tiny.folder, folder / "init")
    settings = folder / "init/generation_config.json"
    known = json.loads(settings.read_text())
    first = known["eos_token_id"][0] if isinstance(known["eos_token_id"], list) else known["eos_token_id"]
    settings.write_text(json.dumps({**known, "eos_token_id": [first, *range(40, 400, 12)]}))
    values = {f"rl__long__{key}": value for key, value in {**RL, "iterations": iterations}.items()}
    values |= {f"rollout__{key}": value for key, value in partial.items()} | {"hardware__save_seconds": 0}
    write_params(folder, **values)
    write_records(folder / "problems.jsonl", tiny.curated()[::2])
    write_records(folder / "validation.jsonl", tiny.problems[1::9])
    return [*ARGUMENTS, "--init", "init"]


def program(arguments: list[str], hold: str = "", call: int = 0) -> None:
    """`python -m stages.rl arguments`; the `call`-th call of phase `hold` says so in the file `held`, and then takes very long."""
    if hold:
        module, name = PHASES[hold]
        place: Any = importlib.import_module(module)
        *outer, last = name.split(".")
        for part in outer:
            place = getattr(place, part)
        real, calls = getattr(place, last), [0]

        def slow(*words: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == call:
                if hold == "saving":  # a half file
                    Path(words[1]).write_bytes(b"half")
                Path("held").touch()
                time.sleep(600)
            return real(*words, **options)

        setattr(place, last, slow)
        for user in ("stages.policy.learner",):  # it has the name already
            if hasattr(importlib.import_module(user), last):
                setattr(importlib.import_module(user), last, slow)
    _stage("stages.rl", arguments)


def run(arguments: list[str], folder: Path, log: str, hold: str = "", call: int = 0) -> BaseProcess:
    return started(program, folder, log, arguments, hold, call)


def waited(process: BaseProcess, what: Callable[[], bool]) -> bool:
    """Whether `what` came true while the process was alive."""
    until = time.monotonic() + 500
    while time.monotonic() < until and process.is_alive():
        if what():
            return True
        time.sleep(0.002)
    assert not process.is_alive(), "500 s are over"
    return False


def send_kill(process: BaseProcess) -> None:
    assert process.pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)


def kill(process: BaseProcess) -> bool:
    """Whether it was still there to be killed."""
    send_kill(process)
    process.join()
    return process.exitcode == -signal.SIGKILL


def go_back(folder: Path, last: int) -> None:
    """Near the end: back to the beginning, so that iterations do not run out before the kills."""
    if step(folder) >= last or (folder / "out").exists():
        for place in (folder / "artifacts/state", folder / "artifacts/spool", folder / "out"):
            shutil.rmtree(place, ignore_errors=True)


def state(folder: Path) -> Path | None:
    """The last state, if there is one."""
    return max(folder.glob("artifacts/state/*/*/step-*"), default=None)


def step(folder: Path) -> int:
    found = state(folder)
    return int(found.name.removeprefix("step-")) if found else 0


def saved(folder: Path, process: BaseProcess, iterations: int = ITERATIONS) -> Any:
    """Sampler, buffer and curve, times left out, of the state before the last iteration, looked at
    while the program stands still."""
    assert waited(process, lambda: step(folder) == iterations - 1), [path.read_text()[-3000:] for path in folder.glob("*.txt")]
    assert process.pid
    os.kill(process.pid, signal.SIGSTOP)
    try:
        (path,) = (state(folder) or folder).rglob("*model_states.pt")
        extra = torch.load(path, weights_only=False)["extra"]
        return {**extra, "rows": [{**row, "time": 0} for row in extra["rows"]]}
    finally:
        os.kill(process.pid, signal.SIGCONT)


def tail(folder: Path, log: str = "log.txt") -> str:
    return f"K15_TEST_SEED={SEED}\n" + (folder / log).read_text()[-3000:]


@pytest.fixture(scope="module")
def whole(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run without a break, and its last saved buffer."""
    folder = tmp_path_factory.mktemp("whole")
    process = run(project(folder, tiny), folder, "log.txt")
    extra = saved(folder, process)
    assert ended(process) == 0, tail(folder)
    return folder, extra


def same(left: Path, right: Path, log: str = "log.txt") -> None:
    for name in ("out/model.safetensors", "curves.csv"):
        assert (left / name).read_bytes() == (right / name).read_bytes(), f"{name} differs\n{tail(right, log)}"


def test_the_run_has_unfinished_responses_nearly_always(whole: tuple[Path, Any]) -> None:
    folder, extra = whole
    assert len(extra["buffer"]["members"]) >= 2
    assert any(len(row["segments"]) == 2 for row in extra["buffer"]["members"])
    names, *rows = [line.split(",") for line in (folder / "curves.csv").read_text().splitlines()]
    unfinished = [float(row[names.index("buffer/responses")] or 0) for row in rows]
    assert min(unfinished[: ITERATIONS - 1]) > 0
    fresh = [float(row[names.index("fresh_groups")] or 0) for row in rows]
    assert sum(count > 0 for count in fresh) > ITERATIONS / 2, "fresh prompts go beside them"
    losses = [row[names.index("loss")] for row in rows]
    assert sum(loss != "" for loss in losses) > ITERATIONS / 2
    assert not any(folder.glob("artifacts/state/*/*")), "the state goes when the stage is done"
    assert "are unfinished at the end and not trained on" in (folder / "log.txt").read_text()


@pytest.mark.slow
def test_killed_in_every_phase_and_at_random_moments(tiny: Tiny, whole: tuple[Path, Any], tmp_path: Path) -> None:
    chance = random.Random(SEED)
    arguments, log, kills = project(tmp_path, tiny), "log.txt", []
    for phase in PHASES:
        process = run(arguments, tmp_path, log, phase, 2 if phase == "generating" else chance.randint(1, 2))
        assert waited(process, (tmp_path / "held").exists), f"{phase}: {tail(tmp_path)}"
        kill(process)
        (tmp_path / "held").unlink()
        kills.append(f"{phase} at {step(tmp_path)}")
    while len(kills) < len(PHASES) + 4:
        go_back(tmp_path, ITERATIONS - 3)
        process = run(arguments, tmp_path, log)
        begun = step(tmp_path)
        waited(process, lambda first=begun: step(tmp_path) > first)
        time.sleep(chance.random() * 0.2)
        if kill(process):
            kills.append(f"at random after {begun}, at {step(tmp_path)}")
    go_back(tmp_path, ITERATIONS - 1)
    print(f"K15_TEST_SEED={SEED}: kill -9 {'; '.join(kills)}")
    assert len(kills) >= 9
    process = run(arguments, tmp_path, log)
    if step(tmp_path) < ITERATIONS - 1:
        assert saved(tmp_path, process) == whole[1], f"the buffer differs\n{tail(tmp_path)}"
    assert ended(process) == 0, tail(tmp_path)
    same(whole[0], tmp_path)
    assert not any(tmp_path.glob("artifacts/state/*/*"))


SMALLER = {"micro_batch_tokens": 32, "generation_batch": 3, "gradient_checkpointing": True, "workers": 2}
"""What a user lowers after an out-of-memory error."""


def lower(folder: Path) -> None:
    """Other values of memory in params.yaml."""
    tree = yaml.safe_load((folder / "params.yaml").read_text())
    assert {*SMALLER} <= {*tree["hardware"]}
    tree["hardware"] |= SMALLER
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))


@pytest.mark.slow
def test_goes_on_with_less_memory_where_it_was(tiny: Tiny, tmp_path: Path) -> None:
    """Killed in the middle and started with smaller micro-batches it goes on at its iteration, on the very state that was saved.
    Other micro-batches add gradients up in another order, so that the weights differ in the last bits from those of a run without a
    break; how it goes on is exact: twice from one state, twice the same bits."""
    cut, again = tmp_path / "cut", tmp_path / "again"
    arguments = project(cut, tiny)
    process = run(arguments, cut, "log.txt")
    assert waited(process, lambda: step(cut) >= 3), tail(cut)
    kill(process)
    begun = step(cut)
    assert 3 <= begun < ITERATIONS
    spool = cut / "artifacts/spool/rl@long.jsonl"
    before = [line for line in spool.read_text().splitlines() if '"step"' in line and json.loads(line)["step"] < begun]
    shutil.copytree(cut, again, symlinks=True)
    for folder in (cut, again):
        lower(folder)
        assert ended(run(arguments, folder, "lower.txt")) == 0, tail(folder, "lower.txt")
        told = (folder / "artifacts/spool/rl@long.jsonl").read_text().splitlines()
        assert [line for line in before if "speed" not in line] == [line for line in told if line in before], "no iteration twice"
    same(cut, again, "lower.txt")
    rows = (cut / "curves.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [str(number) for number in range(ITERATIONS + 1)]
    assert not any(cut.glob("artifacts/state/*/*"))


@pytest.mark.slow
def test_a_value_that_decides_results_starts_afresh(tiny: Tiny, tmp_path: Path) -> None:
    arguments = project(tmp_path, tiny, 4)
    process = run(arguments, tmp_path, "log.txt")
    assert waited(process, lambda: step(tmp_path) >= 2), tail(tmp_path)
    kill(process)
    tree = yaml.safe_load((tmp_path / "params.yaml").read_text())
    tree["hardware"]["zero_stage"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    assert ended(run(arguments, tmp_path, "log.txt")) == 0, tail(tmp_path)
    assert len(list(tmp_path.glob("artifacts/state/rl-long/*"))) == 1, "the state of the other value is left"


PAIR = 6
"""Iterations in two processes."""


def pair(arguments: list[str], folder: Path) -> list[BaseProcess]:
    """The program on two ranks that talk over gloo."""
    port = str(free_port())
    known = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    numbers = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    return [started(program, folder, f"rank{rank}.txt", arguments, **known, **numbers[rank]) for rank in range(2)]


@pytest.mark.slow
def test_two_processes_killed_together_and_one_by_one(tiny: Tiny, tmp_path: Path) -> None:
    """One rank that is killed ends the other, by an error and not by its time-out."""
    chance = random.Random(SEED)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    first, second = pair(project(whole, tiny, PAIR), whole)
    extra = saved(whole, first, PAIR)
    assert [ended(first), ended(second)] == [0, 0], tail(whole, "rank0.txt")
    assert extra["buffer"]["members"], "nothing is unfinished: this test shows less than it should"
    arguments, kills = project(cut, tiny, PAIR), []
    for victims in ((0, 1), (1,), (0,)):
        for _ in range(5):  # on busy cores the ranks may be through, or the second one may have failed, before the kill
            go_back(cut, PAIR - 3)
            processes = pair(arguments, cut)
            begun = step(cut)
            assert waited(processes[0], lambda first=begun: step(cut) > first), tail(cut, "rank0.txt")
            time.sleep(chance.random() * 0.1)
            for rank in victims:
                send_kill(processes[rank])
            codes = [ended(process, 60) for process in processes]
            if all(codes[rank] == -signal.SIGKILL for rank in victims) and 0 not in codes:
                break
        assert all(codes[rank] == -signal.SIGKILL for rank in victims)
        assert 0 not in codes, tail(cut, "rank0.txt")
        kills.append(f"rank {' and '.join(map(str, victims))} at {step(cut)}")
    print(f"K15_TEST_SEED={SEED}: kill -9 {'; '.join(kills)}")
    go_back(cut, PAIR - 1)
    first, second = pair(arguments, cut)
    if step(cut) < PAIR - 1:
        assert saved(cut, first, PAIR) == extra, tail(cut, "rank0.txt")
    assert [ended(first), ended(second)] == [0, 0], tail(cut, "rank0.txt")
    same(whole, cut, "rank0.txt")
