"""What this machine has: cores, memory, GPUs, free disk. Read from the kernel and nvidia-smi; torch is not imported."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from stages.data.files import DataError

GIB = 2**30


@dataclass(frozen=True)
class Gpu:
    """One GPU and its memory in bytes."""

    name: str
    memory: int


@dataclass(frozen=True)
class Machine:
    """A machine as far as the plan of a run asks."""

    cores: int
    memory: int
    """Bytes of main memory."""
    gpus: tuple[Gpu, ...]
    free_disk: int
    """Bytes free where the project lies."""
    assumed: bool = False
    """The GPUs were named on the command line, not found."""


def this_machine(root: Path, assumed: str | None = None) -> Machine:
    """The machine that this runs on; `assumed` ("8x80": eight GPUs of 80 GiB) takes the place of the GPUs found."""
    cores = len(os.sched_getaffinity(0))
    found = (cores, psutil.virtual_memory().total, gpus() if assumed is None else parsed(assumed))
    return Machine(*found, shutil.disk_usage(root).free, assumed is not None)


def parsed(text: str) -> tuple[Gpu, ...]:
    """ "8x80" -> eight GPUs of 80 GiB; "0" -> none. DataError for another form."""
    if text == "0":
        return ()
    match = re.fullmatch(r"(\d+)x(\d+(?:\.\d+)?)", text)
    if not match:
        raise DataError(f"--gpus {text}: expected COUNTxGIB, for example 8x80, or 0 for none")
    return tuple(Gpu(f"assumed, {match[2]} GiB", int(float(match[2]) * GIB)) for _ in range(int(match[1])))


def gpus() -> tuple[Gpu, ...]:
    """The GPUs that nvidia-smi lists, of those that CUDA_VISIBLE_DEVICES leaves; none where it is not installed or fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    words = [tool, "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.count(",") == 2]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    kept = (
        rows if visible is None or not re.fullmatch(r"[\d,]*", visible) else [row for row in rows if row[0] in visible.split(",")]
    )
    return tuple(Gpu(name, int(memory) * 2**20) for _, name, memory in kept if memory.isdigit())


def fast_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def size(count: float) -> str:
    """1536 MiB -> "1.5 GiB"."""
    for unit, factor in (("TiB", 2**40), ("GiB", GIB), ("MiB", 2**20)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count / 2**10:,.0f} KiB"
