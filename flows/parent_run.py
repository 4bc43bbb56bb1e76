"""MLflow's run of a whole pipeline, the line that is compared: all parameters, its few numbers, a description, the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.tracking import Store


@dataclass(frozen=True)
class Ending:
    """How a pipeline ended and what it made; nothing of another run."""

    status: str
    """MLflow's word: FINISHED, FAILED or KILLED."""
    said: str
    """What the description says below the table: what failed, what was not evaluated."""
    time: float
    """Seconds since 1970, the time of its numbers."""
    params: Mapping[str, Any]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """As in the report's metrics.json, of this run only."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """The key of each stage that ended."""
    report: Path | None = None
    """The folder of the report, where it is this run's."""


def description(numbers: Mapping[str, Any], said: str = "") -> str:
    """What the run's page says first, in Markdown: accuracy and tokens of each checkpoint, then `said`."""
    rows = {name: row for name, row in numbers.items() if isinstance(row, dict) and "accuracy" in row}
    lines = ["| checkpoint | accuracy, % | mean tokens |", "| --- | ---: | ---: |"] if rows else []
    lines += [f"| {name} | {row['accuracy']} | {row['tokens']} |" for name, row in rows.items()]
    held = [f"Headline checks that hold: {numbers['checks_held']}"] if "checks_held" in numbers else []
    return "\n\n".join(part for part in ("\n".join(lines), *held, said) if part)


def compared(numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The report's numbers by measure, one row after the other: {"long_rl": {"accuracy": 81}} -> {"accuracy": {"long_rl": 81}}, so
    that the charts of one measure stand together. MLflow's comparison opens with the first that was stored, so the long model's
    accuracy is."""
    rows: list[dict[str, Any]] = []
    for name, row in sorted(numbers.items(), key=lambda item: item[0] != "long_rl"):
        measures = sorted(row.items(), key=lambda item: item[0] != "accuracy") if isinstance(row, dict) else ()
        rows += [{measure: {name: value}} for measure, value in measures] or [{name: row}]
    return rows


def finish_pipeline(root: Path, pipeline: str, ending: Ending) -> None:
    """The parent run gets all parameters, the few final numbers (all scores are on the runs of its stages), a description, the
    report, its stages' keys, and its end."""
    connected = Store.connect(root, pipeline)
    connected.params(connected.parent, ending.params)
    for row in compared(ending.numbers):
        connected.metrics(connected.parent, [{"step": 0, "time": ending.time, **row}])
    if text := description(ending.numbers, ending.said):
        connected.client.set_tag(connected.parent, "mlflow.note.content", text)
    if ending.report and ending.report.is_dir():
        connected.client.log_artifacts(connected.parent, str(ending.report), "report")
    for stage, key in ending.keys.items():
        connected.client.set_tag(connected.parent, f"stage_key.{stage.replace('@', '_')}", key)
    connected.client.set_terminated(connected.parent, ending.status)
