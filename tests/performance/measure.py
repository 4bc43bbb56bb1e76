"""Paired measurements: the two sides take turns (A B A B) in one process, a warm-up first; medians and ranges are kept, and
the ratio of every pair. On a busy machine the absolute figures say little, the ratios of neighbours in time do."""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("torch", "transformers", "trl", "deepspeed", "dvc", "prefect", "mlflow", "math-verify")
Sides = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Row:
    """One comparison: the figures of every repeat, the warm-up left out, pair by pair."""

    name: str
    unit: str
    ours: Sequence[float]
    other: Sequence[float]
    against: str
    """What the other side is."""
    target: float
    """The issue's target: the least ratio, or, for a cost, the most seconds."""
    sizes: Mapping[str, Any]
    kind: str = "speed"
    """"speed" (more is better: ours / other), "seconds" (less is better: other / ours), or "cost" (seconds: ours - other)."""
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pairs(self) -> list[float]:
        """The ratio, or for a cost the difference, of every pair."""
        how: dict[str, Callable[[float, float], float]] = {
            "speed": lambda a, b: a / b,
            "seconds": lambda a, b: b / a,
            "cost": lambda a, b: a - b,
        }
        return [how[self.kind](a, b) for a, b in zip(self.ours, self.other, strict=True)]

    @property
    def reached(self) -> bool:
        middle = statistics.median(self.pairs)
        return middle < self.target if self.kind == "cost" else middle >= self.target

    def as_json(self) -> dict[str, Any]:
        """The row for results/benchmarks.json."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": spread(self.ours),
            "other": spread(self.other),
            "against": self.against,
            "cost_seconds" if self.kind == "cost" else "ratio": spread(self.pairs),
            "target": self.target,
            "reached": self.reached,
            "repeats": len(self.ours),
            "sizes": dict(self.sizes),
            "notes": dict(self.notes),
        }


@dataclass(frozen=True)
class Alone:
    """Figures of ours that nothing is compared with."""

    name: str
    unit: str
    ours: Sequence[float]
    sizes: Mapping[str, Any]
    notes: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The row for results/benchmarks.json."""
        figures = {"name": self.name, "unit": self.unit, "ours": spread(self.ours), "repeats": len(self.ours)}
        return {**figures, "sizes": dict(self.sizes), "notes": dict(self.notes)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and largest of `values`, to four digits."""
    found = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def alternate(ours: Callable[[int], float], other: Callable[[int], float], repeats: int) -> Sides:
    """Figures of `repeats` calls of each side in turn, after one call of each that is not counted. The side that begins changes
    from pair to pair; each is given the number of its turn."""
    ours(0), other(0)
    a, b = [], []
    for turn in range(1, repeats + 1):
        for side, figures in ((ours, a), (other, b))[:: 1 if turn % 2 else -1]:
            figures.append(side(turn))
    return a, b


def take_turns(trainer: Any, steps: int, ours: Callable[[], object]) -> Sides:
    """Seconds of ours, and of every `steps` optimizer steps of a transformers Trainer, whose single `train()` pauses for our
    turns. Its own set-up is outside; the first pair, a warm-up, is dropped."""
    from transformers import PrinterCallback, TrainerCallback

    a: list[float] = []
    b: list[float] = []

    class Turns(TrainerCallback):
        begun = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.begun = time.perf_counter()

        def on_step_end(self, _: Any, state: Any, __: Any, **___: Any) -> None:
            if state.global_step % steps == 0:
                b.append(time.perf_counter() - self.begun)
                a.append(seconds(ours))
                self.begun = time.perf_counter()

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Turns())
    trainer.train()
    return a[1:], b[1:]


def environment() -> dict[str, Any]:
    """What a figure must be read with: machine, load, versions, commit."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as aligned text."""
    lines = [("benchmark", "ours", "other", "unit", "ratio or cost", "range", "target", "")]
    for row in rows:
        if "other" not in row:
            lines.append((row["name"], f"{row['ours']['median']:g}", "", row["unit"], "", "", "", ""))
            continue
        is_cost = "cost_seconds" in row
        found = row["cost_seconds" if is_cost else "ratio"]
        lines.append(
            (
                row["name"],
                f"{row['ours']['median']:g}",
                f"{row['other']['median']:g}",
                row["unit"],
                f"{found['median']:.2f}" + (" s" if is_cost else ""),
                f"{found['min']:.2f} to {found['max']:.2f}",
                f"< {row['target']:g} s" if is_cost else f">= {row['target']:g}",
                "" if row["reached"] else "missed",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def write(path: Path, benchmarks: Mapping[str, Any]) -> None:
    """Put the benchmarks into the file at `path`; those of other names that it holds stay, with their own environment."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known | dict(benchmarks), indent=1) + "\n", encoding="utf-8")
