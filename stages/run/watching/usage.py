"""CPU time and memory of processes, as /proc tells them (proc(5))."""

import os
from collections.abc import Iterable, Iterator

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
SERVED = 0.9
"""Part of its CPU seconds that a program must have used when the wall clock stops it, to count as too slow. With less it slept,
or it was not given the CPU."""


def tree(first: int) -> list[int]:
    """A process and all its descendants; of the first of a process namespace: everything in the namespace."""
    found, new = [first], [first]
    while new:
        new = [child for pid in new for child in _children(pid)]
        found += new
    return found


def everyone() -> list[int]:
    """All processes that this one sees: inside the sandbox those of its namespace."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of processes and of the children that they have waited for."""
    return sum(sum(map(int, fields[11:15])) for fields in map(_stat, pids) if fields) / _TICKS


def strain(pids: Iterable[int]) -> tuple[float, float]:
    """Seconds that the threads of living processes have stood in line for a CPU (0 where the kernel does not count that), and
    `cpu_seconds`."""
    pids = list(pids)
    return sum(_in_line(pid) for pid in pids), cpu_seconds(pids)


def own_cpu_seconds(pid: int) -> float | None:
    """User and system time of one process, without its children; None when it has ended."""
    fields = _stat(pid)
    return sum(map(int, fields[11:13])) / _TICKS if fields else None


def uses_more(pids: Iterable[int], limit: int) -> bool:
    """Whether processes together hold more bytes of memory than `limit`: pages in use (a page that several share counts
    once, where the kernel tells shares) and files that exist in memory only."""
    pids = list(pids)
    resident = {pid: _resident(pid) for pid in pids}
    files = sum(memory_files(pids).values())
    if sum(resident.values()) + files <= limit:
        return False
    again = range(2)  # processes that end between two readings leave their share to the rest
    return all(sum(_shares(pid, pages) for pid, pages in resident.items()) + files > limit for _ in again)


def memory_files(pids: Iterable[int]) -> dict[tuple[int, int], int]:
    """Bytes of files without a name that processes hold open (memfd_create(2)), by device and number of the file."""
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                path = f"/proc/{pid}/fd/{name}"
                if os.readlink(path).startswith("/memfd:"):
                    told = os.stat(path)
                    found[told.st_dev, told.st_ino] = told.st_blocks * 512
        except _GONE:
            continue
    return found


def _children(pid: int) -> Iterator[int]:
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())
    except _GONE:
        return


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on, the state; [] when the process has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except _GONE:
        return []


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except _GONE:
        return 0


def _shares(pid: int, otherwise: int) -> int:
    """Proportional set size; 0 of a process that has ended, `otherwise` where it may not be read."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith(b"Pss:"))
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return 0
    except PermissionError:
        return otherwise


def _in_line(pid: int) -> float:
    found = 0.0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:
                found += int(file.read().split()[1]) / 1e9
    except (*_GONE, IndexError):
        pass
    return found
