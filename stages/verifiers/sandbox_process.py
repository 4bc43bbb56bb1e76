"""One bubblewrap process: started, limited before the program begins, watched, ended with all that it started.

bubblewrap names the first process of its namespaces (--json-status-fd) and waits (--block-fd) until that process is in its control
group. The end of that process is the end of every process in the namespace (pid_namespaces(7)). A second gate stands inside:
a shell waits for a line from us, so that nothing runs when we die before bubblewrap has asked to die with us."""

import contextlib
import fcntl
import json
import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stages.run.watching import usage
from stages.run.watching.clock import TICK, Clock
from stages.verifiers.sandbox_groups import Group, group, places_here

SETUP_SECONDS = 60.0
INPUT = "/input"
GATE = ("/bin/sh", "-c", f'read -r go && exec "$@" <{INPUT}', "sh")
"""What stands before the command inside: the second gate, then standard input."""
_CHUNK = 1 << 16
LOOK = 0.02
"""Seconds between two looks at the memory of a program that no control group bounds."""
Stopped = Literal["time", "output", "memory"]


class SetupError(RuntimeError):
    """bubblewrap ended before the program began."""


@dataclass(frozen=True)
class Start:
    """What to start."""

    before: Sequence[str]
    """The command line up to the program's files."""
    files: Mapping[str, bytes]
    """Content by absolute path inside."""
    after: Sequence[str]
    """The rest of the command line."""
    stdin: bytes
    filter: bytes
    """The seccomp program."""


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    returncode: int
    stdout: bytes
    stderr: bytes
    stopped: Stopped | None
    out_of_memory: bool
    seconds: float
    cpu_seconds: float
    """CPU time of all its processes when we stopped it; 0 where it ended by itself."""


def supervise(start: Start, seconds: float, output: int, shares: tuple[int, int, float]) -> Ended:
    """Start, wait, clean up. `shares` are bytes, processes and cores of the control group. SetupError when nothing was run."""
    with group(places_here(), *shares) as mine, _started(start) as sandbox:
        sandbox.join(mine)
        sandbox.open_gate()
        stopped = sandbox.watch(seconds, output, None if mine.bounds_memory else shares[0])
        used = usage.cpu_seconds(usage.tree(sandbox.pid)) if stopped else 0.0
        returncode = sandbox.end()
        lived = time.monotonic() - sandbox.opened
        if returncode is None and stopped is None and not mine.killed_for_memory():
            raise SetupError(_first_line(bytes(sandbox.outputs[sandbox.stderr])))
        first, second = (bytes(sandbox.outputs[end][:output]) for end in (sandbox.stdout, sandbox.stderr))
        code = 128 + signal.SIGKILL if returncode is None else returncode
        return Ended(code, first, second, stopped, mine.killed_for_memory(), lived, used)


class _Sandbox:
    """A started bubblewrap, held at the gate."""

    def __init__(self, process: "subprocess.Popen[bytes]", status: int, gate: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process, self.status, self.gates = process, status, (gate, process.stdin.fileno())
        self.stdout, self.stderr = process.stdout.fileno(), process.stderr.fileno()
        self.outputs = {self.stdout: bytearray(), self.stderr: bytearray(), status: bytearray()}
        self.opened = time.monotonic()
        self.pid = self._child()
        try:
            self.first = os.pidfd_open(self.pid)
            """The first process of the namespace."""
        except ProcessLookupError:
            raise SetupError(self._complaint()) from None

    def _child(self) -> int:
        """Process id of the namespace's first process."""
        clock = Clock(SETUP_SECONDS)
        while b"\n" not in self.outputs[self.status]:
            over = clock.over()
            ready, _, _ = select.select(list(self.outputs), [], [], clock.wait())
            if over and not ready:
                raise SetupError(f"bubblewrap did not start within {SETUP_SECONDS:g} s")
            if self.status in ready:
                found = os.read(self.status, _CHUNK)
                if not found:
                    raise SetupError(self._complaint())
                self.outputs[self.status] += found
            elif self.stderr in ready:  # a complaint before the first status; the status pipe ends after it
                select.select([self.status], [], [], clock.wait())
        return int(json.loads(self.outputs[self.status].split(b"\n")[0])["child-pid"])

    def _complaint(self) -> str:
        """What bubblewrap said before it ended."""
        self.process.wait(SETUP_SECONDS)
        return _first_line(os.read(self.stderr, _CHUNK))

    def join(self, mine: Group) -> None:
        """Into the control group, while it waits."""
        try:
            mine.add(self.pid)
        except ProcessLookupError:
            raise SetupError(self._complaint()) from None
        except OSError as error:
            raise SetupError(f"it cannot join a control group ({error})") from error

    def open_gate(self) -> None:
        self.opened = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            for gate in self.gates:
                os.write(gate, b"go\n")

    def watch(self, seconds: float, output: int, memory: int | None) -> Stopped | None:
        """Collect output until bubblewrap has told the exit status; the limit that was met, if one was. What the program has
        done until now is read before the clock stops it. `memory`: bytes that all its processes may use; None where a control
        group sees to it."""
        poll = select.poll()
        for end in self.outputs:
            poll.register(end, select.POLLIN | select.POLLHUP)
        clock, next_look = Clock(seconds, lambda: usage.strain(usage.tree(self.pid))), math.inf if memory is None else 0.0
        while True:
            over = clock.over()
            if memory is not None and time.monotonic() >= next_look:
                if usage.uses_more(usage.tree(self.pid), memory):
                    return "memory"
                next_look = time.monotonic() + LOOK
            for end, _ in poll.poll(math.ceil(1000 * clock.wait(TICK if memory is None else LOOK))):
                found = os.read(end, _CHUNK)
                if not found:
                    poll.unregister(end)
                    if end == self.status:
                        return None
                self.outputs[end] += found
                if end != self.status and len(self.outputs[end]) > output:
                    return "output"
            if over:
                return "time"

    def end(self) -> int | None:
        """Kill whatever is left, wait for it, read what it had written; the program's exit status, None when it has none."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.first, signal.SIGKILL)
        select.select([self.first], [], [])
        self.process.wait()
        for end in self.outputs:
            os.set_blocking(end, False)
            with contextlib.suppress(BlockingIOError):
                while found := os.read(end, _CHUNK):
                    self.outputs[end] += found
        told = [json.loads(line) for line in self.outputs[self.status].splitlines()]
        return next((int(line["exit-code"]) for line in told if "exit-code" in line), None)


@contextlib.contextmanager
def _started(start: Start) -> Iterator[_Sandbox]:
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        status, told = os.pipe()
        ours.callback(os.close, status)
        theirs.callback(os.close, told)
        waiting, gate = os.pipe()
        ours.callback(os.close, gate)
        theirs.callback(os.close, waiting)
        files = {INPUT: start.stdin, **start.files}
        memory = [_in_memory(content) for content in (start.filter, *files.values())]
        for end in memory:
            theirs.callback(os.close, end)
        words = [*start.before]
        for path, end in zip(files, memory[1:], strict=True):
            words += ["--perms", "0555", "--file", str(end), path]
        words += ["--seccomp", str(memory[0]), "--json-status-fd", str(told), "--block-fd", str(waiting), *start.after]
        process = ours.enter_context(
            subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(told, waiting, *memory),
                start_new_session=True,
                env={},  # the namespace's first process keeps it, and the program may read that
            )
        )
        ours.callback(process.kill)
        theirs.close()
        sandbox = _Sandbox(process, status, gate)
        ours.callback(os.close, sandbox.first)
        ours.callback(sandbox.end)
        yield sandbox


def _in_memory(content: bytes) -> int:
    """A sealed file in memory with this content, at its start."""
    end = os.memfd_create("k15", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(content)
    while view:
        view = view[os.write(end, view) :]
    os.lseek(end, 0, os.SEEK_SET)
    fcntl.fcntl(end, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL)
    return end


def _first_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").splitlines()
    return lines[0][:200] if lines else "bubblewrap ended without a word"
