"""A pool of killable worker processes with a time limit for each request.

The limit is CPU time, so that a busy machine changes no verdict, and PATIENCE times as much on the wall clock, of which time in
which this process was stopped does not count; a reply that is there is read before either limit ends its worker. A worker that
hangs or dies is killed with its process group and replaced; its request gets an "error" reply. The pool is started at the first
use, shared by all callers of a process, and closed when the process ends."""

import atexit
import contextlib
import json
import math
import os
import select
import selectors
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from stages.run.watching.clock import PATIENCE, Clock
from stages.run.watching.usage import own_cpu_seconds, strain

Request = tuple[str, ...]
"""Name of an operation of worker.py, and its arguments."""
Reply = tuple[str, str]
START_SECONDS = 120.0
MAX_STARTS_IN_A_ROW = 3
_ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """One process of stages/verifiers/worker.py, idle or busy with one request."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stages.verifiers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        self.ready = False
        self.job: int | None = None
        self.clock = Clock(START_SECONDS)
        self.limit = 0.0
        """CPU seconds of this process at which the request has used up its time."""
        self._unread = b""
        self._unsent = memoryview(b"")

    def send(self, job: int, request: Request, seconds: float) -> None:
        """Hand over a request; the clocks start now."""
        self.job, self.clock = job, Clock(PATIENCE * seconds, lambda: strain([self.process.pid]))
        self.limit = self.cpu_seconds() + seconds
        self._unsent = memoryview(json.dumps(request).encode("ascii") + b"\n")
        os.set_blocking(self.input, False)
        self.push()

    def push(self) -> bool:
        """Write what the pipe takes; True when the whole request has been written or the worker is gone."""
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self.input, self._unsent[: 1 << 16]) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            self._unsent = memoryview(b"")
        return True

    def receive(self) -> Reply | None:
        """The reply, or None while it is incomplete. Raises EOFError when the worker is gone."""
        chunk = os.read(self.output, 1 << 16)
        if not chunk:
            raise EOFError
        self._unread += chunk
        if not self._unread.endswith(b"\n"):
            return None
        outcome, reason = json.loads(self._unread)
        self._unread = b""
        return outcome, reason

    def expired(self) -> bool:
        """Whether the CPU time of the request is used up, or the clock has run out, and nothing is left to read."""
        over = self.clock.over() or (self.job is not None and self.cpu_seconds() >= self.limit)
        return over and not select.select([self.output], [], [], 0)[0]

    def cpu_seconds(self) -> float:
        """User and system time of the process so far; infinite when it has ended."""
        found = own_cpu_seconds(self.process.pid)
        return math.inf if found is None else found

    @property
    def input(self) -> int:
        assert self.process.stdin is not None
        return self.process.stdin.fileno()

    @property
    def output(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def kill(self) -> None:
        """End the process and whatever it started, and wait for it."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Pool:
    """The workers of one process; `run` is serialised, so any thread may call it."""

    workers: list[Worker] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    starter: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "verifier-starter"))
    """The thread that starts all workers: Linux kills them when the thread that started them ends, so it must last."""

    def run(self, requests: Sequence[Request], workers: int, seconds: float) -> list[Reply]:
        """A reply for each request, in order; ("error", reason) where `seconds` or the worker's life ended."""
        with self.lock:
            return _Batch(self, requests, workers, seconds).run()

    def close(self) -> None:
        """Kill all workers and wait for them."""
        with self.lock:
            while self.workers:
                self.workers.pop().kill()
            self.starter.shutdown()


class _Batch:
    """One call of Pool.run: hands requests to idle workers until every one has its reply."""

    def __init__(self, pool: Pool, requests: Sequence[Request], workers: int, seconds: float) -> None:
        self.pool, self.starter = pool.workers, pool.starter
        self.requests, self.seconds = requests, seconds
        self.size = max(1, min(workers, len(requests)))
        self.waiting = deque(range(len(requests)))
        self.replies: dict[int, Reply] = {}
        self.failed_starts = 0

    def run(self) -> list[Reply]:
        try:
            while len(self.replies) < len(self.requests):
                self._fill()
                self._wait()
        finally:
            for worker in [worker for worker in self.pool if worker.job is not None]:  # interrupted
                worker.kill()
                self.pool.remove(worker)
        return [self.replies[job] for job in range(len(self.requests))]

    def _fill(self) -> None:
        for worker in list(self.pool):
            if worker.process.poll() is not None and worker.job is None:
                self._replace(worker, "ended before its first request")
        while len(self.pool) < self.size:
            self.pool.append(self.starter.submit(Worker).result())
        for worker in self.pool[: self.size]:
            if worker.ready and worker.job is None and self.waiting:
                job = self.waiting.popleft()
                worker.send(job, self.requests[job], self.seconds)

    def _wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            active = [worker for worker in self.pool if worker.job is not None or not worker.ready]
            for worker in active:
                selector.register(worker.output, selectors.EVENT_READ, worker)
                if not worker.push():
                    selector.register(worker.input, selectors.EVENT_WRITE, worker)
            for key, events in selector.select(min((worker.clock.wait() for worker in active), default=0.0)):
                if events & selectors.EVENT_READ:
                    self._read(key.data)
        for worker in active:
            if worker in self.pool and (worker.job is not None or not worker.ready) and worker.expired():
                self._replace(worker, f"no verdict within {self.seconds:g} s")

    def _read(self, worker: Worker) -> None:
        try:
            reply = worker.receive()
        except EOFError:
            self._replace(worker, "the verifier process died")
            return
        if reply is None:
            return
        if worker.job is None:
            worker.ready, self.failed_starts = True, 0
        else:
            self.replies[worker.job], worker.job = reply, None

    def _replace(self, worker: Worker, reason: str) -> None:
        worker.kill()
        self.pool.remove(worker)
        if worker.job is not None:
            self.replies[worker.job] = ("error", reason)
        elif not worker.ready:
            self.failed_starts += 1
        if self.failed_starts >= MAX_STARTS_IN_A_ROW:
            raise RuntimeError(
                f"the verifier process does not start ({sys.executable} -m stages.verifiers.worker); "
                "run that command to see why (are the project's packages installed?)"
            )


_pools: dict[int, Pool] = {}


def shared_pool() -> Pool:
    """The pool of this process, started at the first call and closed at exit."""
    pid = os.getpid()
    if pid not in _pools:
        _pools.clear()
        _pools[pid] = Pool()
        atexit.register(_pools[pid].close)
    return _pools[pid]
