"""What a run that ended shows on its page in Prefect: a table of its stages, one of its checkpoints, where to look further."""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from prefect.artifacts import create_markdown_artifact

from flows import tracking
from flows.scores import Scores
from stages.run.secrets import hidden

KEY = "run-summary"
"""Under this key Prefect's page of artifacts shows the history of all runs."""


def publish(root: Path, states: Mapping[str, str], scores: Scores) -> None:
    """Make the artifact of the flow run that calls this; `states` is how each stage ended."""
    create_markdown_artifact(summary(root, states, scores), key=KEY, description="Stages, checkpoints, links")


def summary(root: Path, states: Mapping[str, str], scores: Scores) -> str:
    """The page in Markdown, with the scores of this very run only."""
    lines = ["| stage | state | seconds |", "| --- | --- | ---: |"]
    for name, state in states.items():
        path = root / f"artifacts/timings/{name}.json"
        seconds = (
            f"{json.loads(path.read_text(encoding='utf-8'))['seconds']:.0f}" if path.is_file() and state == "Completed" else ""
        )
        lines.append(f"| {name} | {state} | {seconds} |")
    return "\n".join([*lines, "", *_checkpoints(scores), *_links(root, scores)])


def _checkpoints(scores: Scores) -> list[str]:
    lines = ["| checkpoint | accuracy | 95% interval | tokens | n |", "| --- | ---: | --- | ---: | ---: |"]
    for name, suites in scores.checkpoints.items():
        if overall := suites.get("overall"):
            low, high = overall["ci95"]
            shown = f"{100 * overall['accuracy']:.1f} | {100 * low:.1f} to {100 * high:.1f} | {overall['mean_tokens']:.1f}"
            lines.append(f"| {name} | {shown} | {overall['n']} |")
    table = [*lines, ""] if len(lines) > 2 else []
    return [*table, *([f"{scores.said().capitalize()}.", ""] if scores.missing else [])]


def _links(root: Path, scores: Scores) -> list[str]:
    store, report = tracking.store(root), root / "results/report/index.html"
    lines = [f"Report: `{report}`, a page that opens in any browser."] if scores.report and report.is_file() else []
    if urlsplit(store).scheme in ("http", "https"):
        address = hidden(store)
        return [*lines, f"Curves: [{address}]({address}), experiment {tracking.EXPERIMENT}."]
    return [*lines, "Curves: `make ui` on that machine prints the address of MLflow's page."]
