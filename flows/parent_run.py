"""MLflow's run of a whole pipeline, the line that is compared: all parameters, the report's few numbers, a description, figures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.tracking import Store


def description(numbers: Mapping[str, Any]) -> str:
    """What the run's page says first, in Markdown: accuracy and tokens of each checkpoint, from the report's metrics.json."""
    lines = ["| checkpoint | accuracy, % | mean tokens |", "| --- | ---: | ---: |"]
    lines += [
        f"| {name} | {row['accuracy']} | {row['tokens']} |"
        for name, row in numbers.items()
        if isinstance(row, dict) and "accuracy" in row
    ]
    return "\n".join([*lines, "", f"Headline checks that hold: {numbers['checks_held']}"])


def compared(numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The report's numbers by measure, one row after the other: {"long_rl": {"accuracy": 81}} -> {"accuracy": {"long_rl": 81}}, so
    that the charts of one measure stand together. MLflow's comparison opens with the first that was stored, so the long model's
    accuracy is."""
    rows: list[dict[str, Any]] = []
    for name, row in sorted(numbers.items(), key=lambda item: item[0] != "long_rl"):
        measures = sorted(row.items(), key=lambda item: item[0] != "accuracy") if isinstance(row, dict) else ()
        rows += [{measure: {name: value}} for measure, value in measures] or [{name: row}]
    return rows


def finish_pipeline(
    root: Path, pipeline: str, status: str, params: Mapping[str, Any], keys: Mapping[str, str], results: Path | None = None
) -> None:
    """The parent run gets all parameters, the few final numbers (all scores are on the runs of its stages), a description, report,
    figures, its stages' keys. `results` is the folder of the results, the checkout's own by default."""
    connected, folder = Store.connect(root, pipeline), results or root / "results"
    connected.params(connected.parent, params)
    if (final := folder / "report/metrics.json").is_file():
        numbers = json.loads(final.read_text(encoding="utf-8"))
        for row in compared(numbers):
            connected.metrics(connected.parent, [{"step": 0, "time": final.stat().st_mtime, **row}])
        connected.client.set_tag(connected.parent, "mlflow.note.content", description(numbers))
    if (folder / "report").is_dir():
        connected.client.log_artifacts(connected.parent, str(folder / "report"), "report")
    for stage, key in keys.items():
        connected.client.set_tag(connected.parent, f"stage_key.{stage.replace('@', '_')}", key)
    connected.client.set_terminated(connected.parent, status)
