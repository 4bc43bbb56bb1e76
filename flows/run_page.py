"""What a finished run shows on its page in Prefect: one table of its stages, one of its checkpoints, and where to look further."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from prefect.artifacts import create_markdown_artifact

from flows import tracking

KEY = "run-summary"
"""Under this key Prefect's page of artifacts shows the history of all runs."""


def publish(root: Path, states: Mapping[str, str]) -> None:
    """Make the artifact of the flow run that calls this; `states` is how each stage ended."""
    create_markdown_artifact(summary(root, states), key=KEY, description="Stages, checkpoints, links")


def summary(root: Path, states: Mapping[str, str]) -> str:
    """The page in Markdown."""
    lines = ["| stage | state | seconds |", "| --- | --- | ---: |"]
    for name, state in states.items():
        path = root / f"artifacts/timings/{name}.json"
        seconds = (
            f"{json.loads(path.read_text(encoding='utf-8'))['seconds']:.0f}" if path.is_file() and state == "Completed" else ""
        )
        lines.append(f"| {name} | {state} | {seconds} |")
    return "\n".join([*lines, "", *_checkpoints(root / "results/report/summary.json"), *_links(root)])


def _checkpoints(path: Path) -> list[str]:
    if not path.is_file():
        return []
    lines = ["| checkpoint | accuracy | 95% interval | tokens | n |", "| --- | ---: | --- | ---: | ---: |"]
    for name, suites in json.loads(path.read_text(encoding="utf-8")).get("checkpoints", {}).items():
        if overall := suites.get("overall"):
            low, high = overall["ci95"]
            shown = f"{100 * overall['accuracy']:.1f} | {100 * low:.1f} to {100 * high:.1f} | {overall['mean_tokens']:.1f}"
            lines.append(f"| {name} | {shown} | {overall['n']} |")
    return [*lines, ""]


def _links(root: Path) -> list[str]:
    store, report = tracking.store(root), root / "results/report/index.html"
    lines = [f"Report: `{report}`, a page that opens in any browser."] if report.is_file() else []
    if urlsplit(store).scheme in ("http", "https"):
        address = re.sub(r"//[^/@]*@", "//", store)
        return [*lines, f"Curves: [{address}]({address}), experiment {tracking.EXPERIMENT}."]
    return [*lines, "Curves: `make ui` on that machine prints the address of MLflow's page."]
