"""How fast this machine computes: rates that `k15 doctor --measure` stored, else stated assumptions."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path

from flows.architecture import Model
from flows.machine import Machine
from stages.data.files import write_json
from stages.run.params import Hardware


@dataclass(frozen=True)
class Measured:
    """One measurement on one machine by one process."""

    model: str
    weights: int
    device: str
    dtype: str
    engine: str
    matmul: float
    """Operations a second of a large matrix product, two for each multiplication with its addition."""
    trained: float
    """Tokens a second through forward, backward and step."""
    generated: float
    """Tokens a second, `rows` responses side by side."""
    rows: int
    disk: float
    """Bytes a second, written and flushed."""


@dataclass(frozen=True)
class Rates:
    """What the seconds of a stage follow from, each for one rank."""

    operations: float
    """A second in training, counted as 6 x weights x tokens (arXiv 2001.08361, §2.1)."""
    tokens: float
    """Generated a second."""
    disk: float
    """Bytes written a second."""
    source: str


PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "A10": 125e12, "4090": 165e12}
"""Dense bf16 operations a second by NVIDIA's data sheets, by a part of the GPU's name."""
UNNAMED = "A100"
"""The GPU that is assumed where the name is none of PEAKS (`--gpus 1x80`)."""
MFU = 0.16
"""Of that peak in training: results/h200, 99 million weights, samples of 4,096 tokens."""
LAYER_SECONDS = 0.015 / 12
"""A layer of one step of the embedded engine on a GPU: results/h200, 15 ms with 12 layers whatever the rows."""
RESPONSE_SECONDS = 1 / 15_338
"""A response and step of vLLM: results/h100, the ceiling of a process."""
BANDWIDTH = 2e12
"""Bytes a second that a GPU reads weights with, ours."""
CORE = 70e9
"""Operations a second of a core in training: SmolLM2-135M in float32, 185 tokens/s on two quiet cores."""
CORE_GENERATING = 35e9
"""The same in generation: 256 tokens/s of 64 rows, 2 x weights operations each."""
STEP_SECONDS = 0.01
"""A step of generation on the CPU at least; ours, for models so small that their arithmetic does not count."""
DISK = 1e9
"""Bytes a second, ours."""


def fingerprint(machine: Machine) -> str:
    """What tells one kind of machine from another: processor, cores, GPUs."""
    parts = [_processor(), str(machine.cores), *(gpu.name for gpu in machine.gpus)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def store(machine: Machine) -> Path:
    """The file of this machine's measurements, in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "k15/rates" / f"{fingerprint(machine)}.json"


def keep(measured: Measured, machine: Machine) -> Path:
    """Add to the file, in place of an earlier measurement of the same kind; returns the file."""
    path = store(machine)
    others = [one for one in kept(machine) if _kind(one) != _kind(measured)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, [asdict(one) for one in [*others, measured]])
    return path


def kept(machine: Machine) -> list[Measured]:
    """What was measured on this machine; a file of another form counts as none."""
    try:
        return [Measured(**row) for row in json.loads(store(machine).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def _kind(one: Measured) -> tuple[str, str, str, str]:
    return one.model, one.device, one.dtype, one.engine


def rates_of(model: Model, hardware: Hardware, machine: Machine, gpu: bool, dtype: str) -> Rates:
    """The rates of one rank for `model`: of the measured model that is nearest in size, else assumed. `model.weights` is known."""
    assert model.weights is not None
    weights, device = model.weights, "cuda" if gpu else "cpu"
    found = [] if machine.assumed else kept(machine)
    fitting = [one for one in found if (one.device, one.dtype, one.engine) == (device, dtype, hardware.engine)]
    if not fitting:
        return _assumed(model, hardware, machine, gpu)
    near = min(fitting, key=lambda one: abs(log(one.weights / weights)))
    source = f"measured here with {near.model} ({near.weights:,} weights)"
    if near.weights != weights:
        source += ", scaled by the weights"
    return Rates(6 * near.weights * near.trained, near.generated * near.weights / weights, near.disk, source)


def _assumed(model: Model, hardware: Hardware, machine: Machine, gpu: bool) -> Rates:
    assert model.weights is not None
    rows, operations = hardware.generation_batch, 2 * model.weights
    if not gpu:
        cores = machine.cores / hardware.processes
        seconds = max(STEP_SECONDS, operations * rows / (cores * CORE_GENERATING))
        source = f"assumed: {CORE / 1e9:.0f} GFLOP/s a core in training, half of it in generation"
        return Rates(cores * CORE, rows / seconds, DISK, f"{source}; `k15 doctor --measure` measures")
    name = machine.gpus[0].name if machine.gpus else ""
    known = next((key for key in PEAKS if key in name), UNNAMED)
    step = RESPONSE_SECONDS * rows if hardware.engine == "vllm" else LAYER_SECONDS * model.layers
    seconds = max(step, operations / BANDWIDTH, operations * rows / (0.4 * PEAKS[known]))
    source = f"assumed: {MFU:.0%} of {known}'s {PEAKS[known] / 1e12:,.0f} TFLOP/s in training (results/h200)"
    return Rates(MFU * PEAKS[known], rows / seconds, DISK, f"{source}; `k15 doctor --measure` measures")
