"""The command and the environment that put a stage program on its ranks.

One process: plain python with the rank variables (no launcher start-up). Several: DeepSpeed's launcher on this machine.
Many nodes, either
- `K15_HOSTFILE=hosts` (lines `node1 slots=8`): DeepSpeed's launcher over ssh; slots add up to hardware.processes, or
- `K15_LAUNCHER="srun --nodes=2 torchrun --nnodes=2 ..."`: these words, then `-m flows.rank MODULE ARGS`, for schedulers that
  start ranks themselves; hardware.processes is the number of ranks that they start.
Each of several ranks runs under flows.rank, which says how a dead one ended.
Stages of one process are plain python wherever they run, also under a launcher."""

import os
import re
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class LaunchError(ValueError):
    """The ranks cannot be started as asked; the message says what to change."""


def free_port() -> int:
    """A TCP port that nobody on this machine listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(module: str, arguments: Sequence[str], processes: int, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The words that run `python -m module arguments` on `processes` ranks. Raises LaunchError for a wrong hostfile."""
    if processes == 1:
        return [sys.executable, "-u", "-m", "flows.begin", module, *arguments]
    if launcher := environ.get("K15_LAUNCHER"):
        return [*shlex.split(launcher), "-m", "flows.rank", module, *arguments]
    deepspeed = [sys.executable, "-m", "deepspeed.launcher.runner"]
    if hostfile := environ.get("K15_HOSTFILE"):
        slots = hostfile_slots(Path(hostfile))
        if slots != processes:
            raise LaunchError(f"{hostfile}: {slots} slots in all, but hardware.processes is {processes}; make the two equal")
        deepspeed += ["--hostfile", hostfile]
    else:
        deepspeed += ["--num_gpus", str(processes), "--master_addr", "127.0.0.1", "--master_port", str(free_port())]
    return [*deepspeed, "--no_local_rank", "--module", "flows.rank", module, *arguments]


def environment(processes: int, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environ` with the rank variables of a single process; with several, their launcher sets them."""
    made = {**environ, "PYTHONUNBUFFERED": "1"}
    if processes == 1:
        made |= {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
        made |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return made


def hostfile_slots(path: Path) -> int:
    """Sum of the `slots=N` of a hostfile. Raises LaunchError with the line that has none."""
    if not path.is_file():
        raise LaunchError(f"K15_HOSTFILE={path}: no such file; expected lines like 'node1 slots=8'")
    total = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = re.fullmatch(r"\S+\s+slots=(\d+)", line.strip())
        if not found:
            raise LaunchError(f"{path}:{number}: {line.strip()!r} is not 'HOST slots=N'")
        total += int(found[1])
    return total
