"""The only door for running code that a model wrote: bubblewrap's namespaces, limits, nothing left behind.

A program sees /usr read-only, its own files in /box, an empty /tmp, no network, no other process, none of our environment. Its
files travel in memory; nothing of it ever touches the host's disk. It runs as nobody (never as root), under rlimits, a system-call
filter and, where they can be written, control groups. When its main process ends, or a limit does, the kernel ends the whole
process namespace, and `run` returns only after that. §2.6.4 of the report; https://github.com/containers/bubblewrap."""

import functools
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stages.run.watching.usage import SERVED
from stages.verifiers import sandbox_filter
from stages.verifiers.sandbox_groups import counts_by_namespace, places_here
from stages.verifiers.sandbox_process import GATE, LOOK, Ended, SetupError, Start, supervise

BOX, SCRATCH = "/box", "/tmp"
NOBODY = 65534
PATH = "/usr/local/bin:/usr/bin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": SCRATCH, "TMPDIR": SCRATCH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
MiB = 1 << 20
_OLDEST_BWRAP = (0, 8)
_SIGXCPU, _SIGXFSZ = 128 + 24, 128 + 25
KilledFor = Literal["time", "cpu", "memory", "output", "file size"]


class SandboxUnavailableError(RuntimeError):
    """Model-written code cannot be run here; the message says what to install or allow."""


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    seconds: float = 10.0
    """Wall clock, from the moment the program may start."""
    cpu_seconds: int = 20
    """CPU time of each process."""
    cores: float = 2.0
    """CPU cores of all processes together, where control groups of version 2 can be written."""
    memory: int = 1024 * MiB
    """Bytes of all processes together, by a control group or else by looking (sandbox_process.LOOK); of each process' data too."""
    address_space: bool = True
    """Whether virtual memory is limited too (to `memory` and 512 MiB); not for runtimes that reserve more than they use."""
    processes: int = 64
    """Processes and threads."""
    output: int = 8 * MiB
    """Bytes of standard output, and of standard error; more ends the run."""
    disk: int = 64 * MiB
    """Bytes of /tmp, and of any one file."""


@dataclass(frozen=True)
class Run:
    """How a run ended."""

    returncode: int
    """As a shell counts: 128 + n after signal n."""
    stdout: bytes
    stderr: bytes
    timed_out: bool
    killed_for: KilledFor | None
    """The limit that ended it, None when it ended by itself."""
    seconds: float
    starved: bool = False
    """Whether the wall clock ended it before it had used its CPU time: it slept, or this machine was too busy to serve it."""


def run(
    program_files: Mapping[str, bytes],
    command: Sequence[str],
    stdin: bytes = b"",
    limits: Limits = Limits(),
    environment: Mapping[str, str] | None = None,
    paths: Sequence[str] = (),
) -> Run:
    """Run `command` with `program_files` (relative names) read-only in /box, in /tmp as working directory.

    `paths` are further files or folders of the host that the program may read. Raises SandboxUnavailableError."""
    require()
    try:
        return _run(program_files, command, stdin, limits, environment or {}, paths)
    except SetupError as error:
        raise SandboxUnavailableError(f"the sandbox could not be set up: {error}") from error


def require() -> None:
    """Raises SandboxUnavailableError where no program can be run."""
    reason = why_unavailable()
    if reason is not None:
        raise SandboxUnavailableError(reason)


def bounds() -> tuple[bool, str]:
    """Whether the kernel bounds memory and CPU of a whole program on this machine, and in words what bounds which."""
    where = places_here()
    watched = f"memory is looked at every {1000 * LOOK:g} ms, so a program can pass its limit for that long"
    memory = (
        "memory by control groups" if "memory" in where.parents or where.version == 2 else f"no writable control group: {watched}"
    )
    cores = "CPU cores by control groups" if where.version == 2 else "CPU by time alone, not by cores"
    return where.version == 2, f"of all processes together: {memory}; number of processes by the kernel; {cores}"


@functools.cache
def why_unavailable() -> str | None:
    """None where the sandbox works, found out once by a trial run; else what is missing and what to do."""
    if sys.platform != "linux" or not sandbox_filter.machine_is_known():
        return f"the sandbox needs Linux on x86_64 or aarch64; this is {sys.platform} on {platform.machine()}"
    if shutil.which("bwrap") is None:
        return "the sandbox needs bubblewrap 0.8 or newer (apt-get install bubblewrap, or .ci/toolchains)"
    found = _numbers(subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout)
    if found < _OLDEST_BWRAP:
        return f"the sandbox needs bubblewrap 0.8 or newer; {'.'.join(map(str, found))} is installed (apt-get install bubblewrap)"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "the sandbox needs setpriv to leave root (apt-get install util-linux)"
    if not counts_by_namespace() and "pids" not in places_here().parents and places_here().version != 2:
        return (
            f"the sandbox needs Linux 5.14 or newer, or writable control groups, to limit processes; this is {platform.release()}"
        )
    try:
        done = _run({}, ["/usr/bin/true"], b"", Limits(), {}, ())
    except SetupError as error:
        return (
            f"bubblewrap cannot make namespaces here ({error}); allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
            "kernel.apparmor_restrict_unprivileged_userns=0; in a container its seccomp profile must allow them)"
        )
    return None if done.returncode == 0 else f"the sandbox's trial run ended with {done.returncode}: {done.stderr[:200]!r}"


def _run(
    files: Mapping[str, bytes],
    command: Sequence[str],
    stdin: bytes,
    limits: Limits,
    environment: Mapping[str, str],
    paths: Sequence[str],
) -> Run:
    start = Start(
        before=_words({**ENVIRONMENT, **environment}, paths, limits),
        files={f"{BOX}/{name}": content for name, content in files.items()},
        after=["--remount-ro", "/", "--chdir", SCRATCH, "--", *GATE, *rlimits(limits), *command],
        stdin=stdin,
        filter=sandbox_filter.program(),
    )
    ended = supervise(start, limits.seconds, limits.output, (limits.memory, limits.processes, limits.cores))
    killed_for = _killed_for(ended)
    starved = killed_for == "time" and ended.cpu_seconds < SERVED * min(limits.cpu_seconds, limits.seconds)
    return Run(ended.returncode, ended.stdout, ended.stderr, killed_for == "time", killed_for, ended.seconds, starved)


def rlimits(limits: Limits) -> list[str]:
    """The program that sets rlimits (prlimit(1)) and then becomes the command.

    It runs inside, because limits of processes are counted by user namespace."""
    found = {
        "cpu": f"{limits.cpu_seconds}:{limits.cpu_seconds + 1}",
        "data": limits.memory,
        "fsize": limits.disk,
        "nofile": 256,
        "core": 0,
        "stack": f"{8 * MiB}:{64 * MiB}",
        "memlock": 64 << 10,
        "msgqueue": 0,
    }
    if counts_by_namespace():
        found["nproc"] = limits.processes
    if limits.address_space:
        found["as"] = limits.memory + 512 * MiB
    return ["/usr/bin/prlimit", *(f"--{name}={value}" for name, value in found.items()), "--"]


def _killed_for(ended: Ended) -> KilledFor | None:
    if ended.stopped is not None:
        return ended.stopped
    if ended.out_of_memory:
        return "memory"
    return {_SIGXCPU: "cpu", _SIGXFSZ: "file size"}.get(ended.returncode)  # type: ignore[return-value]


def _words(environment: Mapping[str, str], paths: Sequence[str], limits: Limits) -> list[str]:
    """The command line up to the program's files."""
    words = [*_leave_root(), str(shutil.which("bwrap")), *_NAMESPACES]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    words += _system()
    for path in paths:
        words += ["--ro-bind", path, path]
    words += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--size", str(limits.disk), "--tmpfs", SCRATCH]
    return [*words, "--dir", BOX]


_NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--disable-userns"),
    *("--uid", str(NOBODY), "--gid", str(NOBODY)),
)


def _leave_root() -> list[str]:
    if os.geteuid() != 0:
        return []
    return [str(shutil.which("setpriv")), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


@functools.cache
def _system() -> tuple[str, ...]:
    """/usr, and the folders beside it that are links into it or its equals."""
    words = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if os.path.islink(f"/{name}"):
            words += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif os.path.isdir(f"/{name}"):
            words += ["--ro-bind", f"/{name}", f"/{name}"]
    return tuple(words)


def _numbers(version: str) -> tuple[int, int]:
    found = re.search(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
