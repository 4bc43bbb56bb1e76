"""Reports as stages.report does: the scores of both checkpoints, the few numbers, a page."""

import json
from pathlib import Path

from stages.reporting.evaluations import read_evaluation
from stages.reporting.summary import metrics, scores

names = ("first", "second")
found = {name: scores(read_evaluation(Path(f"results/evaluations/{name}.json"), name)) for name in names}
summary = {"checkpoints": found, "checks": {"one": {"holds": True}, "other": {"holds": False}}}
folder = Path("results/report")
folder.mkdir(parents=True, exist_ok=True)
(folder / "summary.json").write_text(json.dumps(summary))
(folder / "metrics.json").write_text(json.dumps(metrics(summary)))
(folder / "index.html").write_text("<title>report</title>")
