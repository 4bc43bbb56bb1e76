r"""Sandbox: starts of a trivial Python program a second and core, and the latency of one, with every limit on.

The other side is the target: 60 starts a second and core, 20 ms. (The report's own sandbox: 120 starts a second on 16 cores,
which is 7.5 a core, and 0.04 s a start, §2.6.4.) Each turn starts the program time after time on one core, to which this process
and all its children are bound; beside it, in turn, the same program is started without isolation. The notes have that figure,
and the CPU time of a start: on a busy machine the wall clock measures the neighbours too."""

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable

from measure import Row, alternate

from stages.verifiers import sandbox
from stages.verifiers.sandbox_groups import places_here

STARTS = 40
PROGRAM = b"print(1)\n"
COMMAND = ["/usr/bin/python3", "-S", "-s"]


def isolated() -> bytes:
    """One start in the sandbox."""
    return sandbox.run({"main.py": PROGRAM}, [*COMMAND, "/box/main.py"]).stdout


def bare() -> bytes:
    """One start without it."""
    return subprocess.run([*COMMAND, "-c", PROGRAM.decode()], capture_output=True, check=True).stdout


def run(repeats: int) -> list[Row]:
    """Starts a second and core, and seconds of one start."""
    sandbox.require()
    latencies: dict[str, list[float]] = {"isolated": [], "bare": []}
    cpu: dict[str, list[float]] = {"isolated": [], "bare": []}

    def side(name: str, start: Callable[[], bytes]) -> Callable[[int], float]:
        def turn(number: int) -> float:
            before, begun, each = _cpu_seconds(), time.perf_counter(), []
            for _ in range(STARTS):
                at = time.perf_counter()
                assert start() == b"1\n"
                each.append(time.perf_counter() - at)
            if number:
                latencies[name].append(statistics.median(each))
                cpu[name].append((_cpu_seconds() - before) / STARTS)
            return STARTS / (time.perf_counter() - begun)

        return turn

    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        ours, other = alternate(side("isolated", isolated), side("bare", bare), repeats)
    finally:
        os.sched_setaffinity(0, cores)
    sizes = {"starts_a_turn": STARTS, "cores": 1, "control_groups": places_here().version}
    notes = {f"{name}_cpu_ms": round(1000 * statistics.median(figures), 1) for name, figures in cpu.items()}
    notes |= {"bare_starts": round(statistics.median(other), 1), "bare_ms": round(1000 * statistics.median(latencies["bare"]), 1)}
    target = "the target"
    return [
        Row("sandbox (starts)", "starts/s/core", ours, [60.0] * repeats, target, 1.0, sizes, notes=notes),
        Row("sandbox (latency)", "s", latencies["isolated"], [0.02] * repeats, target, 1.0, sizes, kind="seconds", notes=notes),
    ]


def _cpu_seconds() -> float:
    """CPU time of this process and of the children that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
