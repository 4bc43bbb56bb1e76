"""What a finished run says on the terminal: a short table, and where everything is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.run.phases import PHASES

COMMANDS = """\
pages     make ui          (Prefect's runs and MLflow's curves, on this machine only; make down stops the server)
compare   dvc metrics diff, dvc params diff, dvc plots diff"""


def table(root: Path) -> list[str]:
    """Checkpoint, accuracy on the held-out stand-in problems with its interval, mean tokens; empty where there is no report."""
    path = root / "results/report/summary.json"
    if not path.is_file():
        return []
    checkpoints = json.loads(path.read_text(encoding="utf-8")).get("checkpoints", {})
    lines = [f"{'checkpoint':<12} {'accuracy':>8} {'95% interval':>16} {'tokens':>8} {'n':>6}"]
    for name, suites in _in_order(checkpoints).items():
        if overall := suites.get("overall"):
            low, high = overall["ci95"]
            accuracy, tokens, count = overall["accuracy"], overall["mean_tokens"], overall["n"]
            lines.append(f"{name:<12} {accuracy:>8.3f} {f'{low:.3f} to {high:.3f}':>16} {tokens:>8.1f} {count:>6}")
    return (
        ["", "on held-out problems of the run's own sources, which stand in for benchmarks:", *lines, ""] if len(lines) > 1 else []
    )


def _in_order(checkpoints: Mapping[str, Any]) -> dict[str, Any]:
    """In the order of the recipe (in the file they are sorted by name), then any others."""
    return {name: checkpoints[name] for name in ["base", *PHASES, *checkpoints] if name in checkpoints}


def places(root: Path) -> list[str]:
    """Paths of report and figures that exist, and the commands of the pages."""
    folder = root / "results/report"
    pages = [f"report    {path.relative_to(root)}" for path in sorted(folder.glob("*.html"))]
    figures = sorted(path for kind in ("svg", "png") for path in folder.rglob(f"*.{kind}"))
    shown = sorted({str(path.parent.relative_to(root)) for path in figures})
    return [*pages, *(f"figures   {name}/" for name in shown), *COMMANDS.splitlines()]
