"""Tailing a spool, time left, and one line on two kinds of terminal."""

import json
from pathlib import Path

import pytest

from flows import progress
from flows.progress import Progress, Screen, Tail, clock


def write(path: Path, *rows: dict[str, object], mode: str = "a") -> None:
    with path.open(mode) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_a_tail_returns_each_whole_row_once(tmp_path: Path) -> None:
    path = tmp_path / "spool.jsonl"
    tail = Tail(path, since=10.0)
    assert tail.rows() == []
    write(path, {"time": 9.0, "step": 0}, {"time": 11.0, "step": 1})
    with path.open("a") as file:
        file.write('{"time": 12.0, "st')
    assert [row["step"] for row in tail.rows()] == [1], "a row from before the run, or a torn one, was returned"
    with path.open("a") as file:
        file.write('ep": 2}\n')
    assert [row["step"] for row in tail.rows()] == [2]
    assert tail.rows() == []


def test_a_spool_that_was_cut_is_read_anew_without_repeating(tmp_path: Path) -> None:
    path = tmp_path / "spool.jsonl"
    tail = Tail(path, since=0.0)
    write(path, *({"time": float(t), "step": t} for t in range(1, 6)))
    assert len(tail.rows()) == 5
    write(path, {"time": 1.0, "step": 1}, {"time": 6.0, "step": 2}, mode="w")
    assert [row["time"] for row in tail.rows()] == [6.0]


def row(time: float, done: int, total: int = 100, unit: str = "step") -> dict[str, object]:
    return {"time": time, "progress": {"done": done, "total": total, "unit": unit}}


def test_time_left_is_from_the_first_row_of_this_piece_of_work() -> None:
    state = Progress("sft@long")
    assert state.line() is None
    state.update([row(100.0, 20)])  # a resumed run starts at 20, not at 0
    assert state.line() == "sft@long  step 20/100  20%"
    state.update([row(110.0, 30)])  # 10 in 10 s: 70 s for the other 70
    assert state.line() == "sft@long  step 30/100  30%  1:10 left"
    state.update([row(111.0, 1, 8, "suite")])  # another unit: its own clock
    assert state.line() == "sft@long  suite 1/8  12%"
    state.update([row(113.0, 2, 8, "suite")])
    assert state.seconds_left() == 12.0


def test_the_line_shows_the_last_reward_length_and_loss() -> None:
    state = Progress("rl@long")
    state.update([{"time": 1.0, "step": 0, "reward": 0.5, "mean_tokens": 49.5, "loss": -0.884, "entropy": 0.1}, row(1.0, 1, 30)])
    assert state.line() == "rl@long  step 1/30  3%  reward 0.500  tokens 50  loss -0.884"
    # an iteration without anything to learn has no loss, validation and speeds are other rows: what was measured last stays
    state.update([
        {"time": 2.0, "step": 1, "reward": 0.65234, "mean_tokens": 1234.0},
        {"time": 2.0, "step": 1, "speed": {"reward": 9.0}},
        {"time": 2.0, "step": 1, "validation_accuracy": 0.5},
        row(2.0, 2, 30),
    ])  # fmt: skip
    assert state.line() == "rl@long  step 2/30  6%  reward 0.652  tokens 1,234  loss -0.884  0:28 left"


@pytest.mark.parametrize("seconds, shown", [(0.4, "0:00"), (75, "1:15"), (3700, "1:01:40")])
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_without_a_terminal_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    screen = Screen()
    for second in range(25):
        now[0] = float(second)
        screen.progress(f"at {second}")
    assert capsys.readouterr().out == "at 10\nat 20\n"


def test_on_a_terminal_the_line_is_redrawn_below_other_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    screen = Screen()
    screen.progress("1/2")
    screen.line("hello")
    screen.close()
    assert capsys.readouterr().out == "1/2\r\x1b[Khello\n1/2\r\x1b[K"


def test_quiet_in_ci(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(progress, "EVERY", 0.0)
    screen = Screen()
    screen.progress("1/2")
    screen.line("a line of the stage")
    assert capsys.readouterr().out == "a line of the stage\n"
