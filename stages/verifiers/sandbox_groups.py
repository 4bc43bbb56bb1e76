"""Control groups: memory of a whole program, where this machine lets us write them; with version 2 its processes and CPU too.

Without them rlimits alone hold, which count memory process by process. In version 1 every controller is a tree of its own, and each
move of a process costs milliseconds of waiting; so processes are left to RLIMIT_NPROC there, which counts them by user namespace
since Linux 5.14, and CPU to RLIMIT_CPU and the clock. (kernel.org, admin-guide/cgroup-v1 and cgroup-v2)"""

import contextlib
import functools
import itertools
import os
import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000
_WEIGHT = 100
"""Of one core, so that a group of several threads is not served as one."""
_OLD_KERNEL = (5, 14)
_REMOVAL_SECONDS = 5.0
_numbers = itertools.count()


@dataclass(frozen=True)
class Places:
    """Folders under which groups can be made."""

    version: int
    """1, 2, or 0 where none can be made."""
    parents: dict[str, Path]
    """Folder of each controller; of version 2 one folder under the name "all"."""


@dataclass(frozen=True)
class Group:
    """The groups of one run."""

    version: int
    folders: dict[str, Path]

    def add(self, pid: int) -> None:
        """Move a process in; its children follow."""
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(pid))

    @property
    def bounds_memory(self) -> bool:
        """Whether the kernel bounds the memory of the whole group."""
        return self.version == 2 or "memory" in self.folders

    def killed_for_memory(self) -> bool:
        """Whether the kernel killed a process of the group because memory ran out."""
        folder = self.folders.get("memory") or self.folders.get("all")
        if folder is None:
            return False
        lines = (folder / ("memory.events" if self.version == 2 else "memory.oom_control")).read_text().splitlines()
        return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)


def places(root: Path = ROOT) -> Places:
    """Where groups can be made under `root`."""
    if (root / "cgroup.controllers").exists():
        parent = next((folder for folder in _candidates(root) if _takes_limits(folder)), None)
        return Places(2, {"all": parent}) if parent else Places(0, {})
    wanted = ("memory",) if counts_by_namespace() else ("memory", "pids")
    parents = {name: root / name for name in wanted if os.access(root / name / "cgroup.procs", os.W_OK)}
    return Places(1, parents) if parents else Places(0, {})


def counts_by_namespace() -> bool:
    """Whether RLIMIT_NPROC counts the processes of one user namespace (Linux 5.14), not all of the user."""
    major, minor = platform.release().split(".")[:2]
    return (int(major), int(re.match(r"\d*", minor)[0] or 0)) >= _OLD_KERNEL  # type: ignore[index]


@functools.cache
def places_here() -> Places:
    """`places` of this machine, found out once."""
    return places()


@contextlib.contextmanager
def group(where: Places, memory: int, processes: int, cores: float) -> Iterator[Group]:
    """A group with these limits, removed at the end; its processes must have ended by then."""
    name = f"k15-{os.getpid()}-{next(_numbers)}"
    folders: dict[str, Path] = {}
    try:
        for controller, parent in where.parents.items():
            (parent / name).mkdir()
            folders[controller] = parent / name
        _limit(where.version, folders, memory, processes, cores)
        yield Group(where.version, folders)
    finally:
        for folder in folders.values():
            _remove(folder)


def _limit(version: int, folders: dict[str, Path], memory: int, processes: int, cores: float) -> None:
    if version == 2:
        written = {"memory.max": memory, "memory.swap.max": 0, "pids.max": processes, "cpu.max": f"{int(PERIOD * cores)} {PERIOD}"}
        written["cpu.weight"] = int(_WEIGHT * cores)
        for file, value in written.items():
            if (folders["all"] / file).exists():
                (folders["all"] / file).write_text(str(value))
        return
    if "memory" in folders:
        (folders["memory"] / "memory.limit_in_bytes").write_text(str(memory))
        if (folders["memory"] / "memory.memsw.limit_in_bytes").exists():
            (folders["memory"] / "memory.memsw.limit_in_bytes").write_text(str(memory))
    if "pids" in folders:
        (folders["pids"] / "pids.max").write_text(str(processes))


def _remove(folder: Path) -> None:
    """The kernel may hold a group for a moment after its last process ended."""
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while True:
        try:
            folder.rmdir()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


def _candidates(root: Path) -> list[Path]:
    """The root, and from our own group upwards."""
    own = next((line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")), "/")
    mine = root / own.strip("/")
    return [root, *([mine, *mine.parents] if mine != root and root in mine.parents else [])]


def _takes_limits(folder: Path) -> bool:
    """Whether a group made in `folder` has limits of memory and processes and takes processes."""
    probe = folder / f"k15-probe-{os.getpid()}"
    try:
        available = (folder / "cgroup.controllers").read_text().split()
        wanted = {"memory", "pids", "cpu"} & set(available)
        if not {"memory", "pids"} <= wanted:
            return False
        if not wanted <= set((folder / "cgroup.subtree_control").read_text().split()):
            (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(wanted)))
        probe.mkdir()
    except OSError:
        return False
    try:
        return (probe / "memory.max").exists() and (probe / "pids.max").exists() and os.access(folder / "cgroup.procs", os.W_OK)
    finally:
        probe.rmdir()
