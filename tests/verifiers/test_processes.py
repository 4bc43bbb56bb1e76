"""The pool: a worker that hangs or dies costs one request, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from stages.run.watching.clock import MOST, PATIENCE, TICK, Clock
from stages.verifiers.processes import Pool

HANGS = ("equal", "3", "\\prod_{n=1}^{10000000} \\sin(n^2)")


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.close()


def test_a_hung_worker_is_killed_replaced_and_reported(pool: Pool) -> None:
    replies = pool.run([("equal", "1", "1.0"), HANGS, ("equal", "2", "4/2"), ("equal", "2", "3")], workers=1, seconds=1.5)
    assert [outcome for outcome, _ in replies] == ["right", "error", "right", "wrong"]
    assert replies[1][1] == "no verdict within 1.5 s"


def test_time_in_which_the_worker_could_not_run_does_not_count(pool: Pool) -> None:
    """Stopped for twice the limit, as on a machine that is too busy, it still gives its verdict."""
    pool.run([("equal", "1", "1.0")], workers=1, seconds=30)
    worker = pool.workers[0].process.pid
    os.kill(worker, signal.SIGSTOP)
    threading.Timer(4, os.kill, [worker, signal.SIGCONT]).start()
    assert pool.run([("equal", "2", "4/2")], workers=1, seconds=2) == [("right", "equal as number")]


def test_a_worker_that_never_runs_is_killed_all_the_same(pool: Pool) -> None:
    pool.run([("equal", "1", "1.0")], workers=1, seconds=30)
    os.kill(pool.workers[0].process.pid, signal.SIGSTOP)
    begun = time.monotonic()
    assert pool.run([("equal", "2", "4/2")], workers=1, seconds=0.5) == [("error", "no verdict within 0.5 s")]
    assert time.monotonic() - begun >= PATIENCE * 0.5


def test_workers_are_kept_between_calls(pool: Pool) -> None:
    pool.run([("equal", "1", "1.0")], workers=1, seconds=10)
    first = [worker.process.pid for worker in pool.workers]
    pool.run([("equal", "1", "1.0")] * 4, workers=1, seconds=10)
    assert [worker.process.pid for worker in pool.workers] == first


def test_a_worker_killed_in_the_middle_gives_an_error_and_the_rest_goes_on(pool: Pool) -> None:
    pool.run([("equal", "1", "1.0")], workers=1, seconds=10)
    victim = pool.workers[0].process.pid
    threading.Timer(0.5, os.kill, [victim, signal.SIGKILL]).start()
    replies = pool.run([HANGS, ("equal", "2", "4/2")], workers=1, seconds=30)
    assert replies == [("error", "the verifier process died"), ("right", "equal as number")]


def test_a_worker_that_died_while_idle_costs_nothing(pool: Pool) -> None:
    pool.run([("equal", "1", "1.0")], workers=1, seconds=10)
    pool.workers[0].process.kill()
    pool.workers[0].process.wait()
    assert pool.run([("equal", "2", "4/2")], workers=1, seconds=10) == [("right", "equal as number")]


def test_close_leaves_no_process(pool: Pool) -> None:
    pool.run([("equal", "1", "1.0")] * 2, workers=2, seconds=10)
    pids = [worker.process.pid for worker in pool.workers]
    pool.close()
    assert pool.workers == []
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_workers_die_with_their_parent_even_in_a_computation() -> None:
    program = (
        "import threading, time\n"
        "from stages.verifiers.processes import shared_pool\n"
        "pool = shared_pool(); pool.run([('equal', '1', '1.0')], 1, 10)\n"
        "print(pool.workers[0].process.pid, flush=True)\n"
        f"pool.run([{HANGS!r}], 1, 60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE


def test_a_program_that_cannot_start_is_named(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"does not start .*verifiers\.worker.*run that command to see why"):
        pool.run([("equal", "1", "1.0")], workers=1, seconds=10)


def test_an_interrupted_call_leaves_no_busy_worker(pool: Pool) -> None:
    pool.run([("equal", "1", "1.0")], workers=1, seconds=10)
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        pool.run([HANGS], workers=1, seconds=30)
    assert pool.workers == []
    assert pool.run([("equal", "2", "4/2")], workers=1, seconds=10) == [("right", "equal as number")]


def test_an_operation_that_raises_is_an_error_reply(pool: Pool) -> None:
    (reply,) = pool.run([("value", "\\frac{")], workers=1, seconds=10)
    assert reply[0] == "error"


def test_large_requests_pass_the_pipes(pool: Pool) -> None:
    (reply,) = pool.run([("equal", "3", "+".join(["0"] * 100_000))], workers=1, seconds=3)
    assert reply[0] in ("wrong", "error")


def test_a_parent_that_was_stopped_finds_the_verdict_all_the_same() -> None:
    """Parent and worker are stopped for longer than the request may take on the wall clock (3 s)."""
    program = (
        "from stages.verifiers.processes import shared_pool\n"
        "pool = shared_pool(); pool.run([('equal', '1', '1.0')], 1, 30)\n"
        "print(pool.workers[0].process.pid, flush=True); input()\n"
        "print(pool.run([('equal', '2', '4/2')], 1, 0.6), flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, signal.SIGSTOP)
    parent.stdin.write("\n")
    parent.stdin.flush()
    time.sleep(0.4)
    parent.send_signal(signal.SIGSTOP)
    time.sleep(4)
    parent.send_signal(signal.SIGCONT)
    time.sleep(0.4)
    os.kill(worker, signal.SIGCONT)
    told, _ = parent.communicate(timeout=30)
    assert told == "[('right', 'equal as number')]\n"


def test_the_clock_counts_one_tick_of_a_gap() -> None:
    """10 s: 0.25 s and 0.5 s are counted as they were, an hour as two ticks."""
    times = iter([0.0, 0.25, 0.75, 3600.75, 3610.75])
    clock = Clock(10.0, now=lambda: next(times))
    left = []
    for _ in range(4):
        clock.over()
        left.append(clock.left)
    assert left == [9.75, 9.25, 9.25 - 2 * TICK, 9.25 - 4 * TICK]
    assert clock.wait() == TICK


def test_time_in_line_for_a_cpu_does_not_count_until_there_was_enough_cpu_time() -> None:
    """Of 0.4 s, 0.3 s in line count as 0.1 s; more than the gap (two threads) as nothing; after 10 s of CPU time all counts."""
    times, strains = iter([0.0, 0.4, 0.8, 1.2, 1.2]), iter([(5.0, 2.0), (5.3, 2.1), (6.3, 2.2), (7.0, 12.0)])
    clock = Clock(10.0, lambda: next(strains), lambda: next(times))
    left = []
    for _ in range(3):
        clock.over()
        left.append(round(clock.left, 6))
    assert left == [9.9, 9.9, 9.5]


def test_a_clock_is_over_some_time_however_busy_the_machine_is() -> None:
    now = [0.0]
    clock = Clock(1.0, lambda: (now[0], 0.0), lambda: now[0])
    while not clock.over():
        now[0] += 0.25
    assert now[0] == MOST
