"""Starting a program so that nobody is left behind, whoever is killed, and however.

The program leads its own session and process group. We end the group when we end (SIGTERM, then SIGKILL). Should we
be killed with -9, the kernel signals the leader (PR_SET_PDEATHSIG) and a reaper, which waits for us on a pipe, ends the
rest. Should the process that asked for us die (a killed dvc), `Parent.gone` says so and the caller stops."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import psutil

from flows import reaper

PR_SET_PDEATHSIG = 1
SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh", "busybox"}
Sink = Callable[[str, str], None]
"""Takes a line and the name of its stream: "stdout" or "stderr"."""


class Group:
    """A running program with its process group; leaving the `with` block ends whatever is left of it, by force after `grace`
    seconds."""

    def __init__(
        self,
        command: Sequence[str],
        sink: Sink,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace: float = reaper.GRACE,
    ) -> None:
        self.grace = grace
        self.process = subprocess.Popen(
            command,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=signal_on_death_of(os.getpid()),
        )
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", reaper.__file__, str(self.process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdout
        assert self.process.stderr
        self._readers = [
            threading.Thread(target=_pump, args=(self.process.stdout, "stdout", sink), daemon=True),
            threading.Thread(target=_pump, args=(self.process.stderr, "stderr", sink), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        try:
            self.stop()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)

    def wait(self, seconds: float) -> int | None:
        """The exit code as a shell would give it (128 + n after signal n), or None when the program still runs."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return 128 - code if code < 0 else code

    def stop(self) -> None:
        """End the group, collect the leader, send the reaper home, drain the output."""
        reaper.end(self.process.pid, self.grace)
        self.process.wait()
        assert self._reaper.stdin
        try:
            self._reaper.stdin.write(b".")
            self._reaper.stdin.close()
        except BrokenPipeError:
            self._reaper.stdin = None
        self._reaper.wait()
        for reader in self._readers:
            reader.join(timeout=2)


class Parent:
    """The process that asked for us: the nearest ancestor that is not a `sh -c`. An interactive shell is not watched,
    so that `nohup ... &` survives a logout."""

    def __init__(self) -> None:
        self._watched: psutil.Process | None = None
        for process in psutil.Process().parents():
            try:
                shell, command = process.name() in SHELLS, process.cmdline()
            except psutil.Error:
                return
            if not shell:
                self._watched = process
            if not (shell and "-c" in command):
                return

    def gone(self) -> bool:
        """True once it has died."""
        if self._watched is None:
            return False
        try:
            return not self._watched.is_running() or self._watched.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


def exit_on_signals() -> None:
    """SIGTERM and SIGHUP become SystemExit in the main thread, so that `with Group(...)` ends its group."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def signal_on_death_of(parent: int) -> Callable[[], None]:
    """What a child of `parent` does before its program starts: have the kernel send it SIGTERM when `parent` dies."""
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _pump(source: IO[str], name: str, sink: Sink) -> None:
    with source:
        for line in source:
            sink(line.rstrip("\n"), name)
