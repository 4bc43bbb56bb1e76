"""Stands in for any stage of dvc.yaml: replays the committed curve of that name, then writes the output; `report` copies the
committed report, with the numbers of the seed that params.yaml names where results/seeds has them."""

import csv
import json
import shutil
import sys
from pathlib import Path

from stages.reporting.summary import metrics
from stages.run.params import read
from stages.run.spool import stage_spool

PROJECT = Path(__file__).parents[4]
CURVES = {"sft-short": "short_sft", "sft-long": "long_sft", "rl-long": "long_rl", "rl-short": "short_rl"}
name, seed, spool = sys.argv[1], read("seed", int), stage_spool(sys.argv[1])
spool.restore([])
curve = PROJECT / f"results/training/{CURVES.get(name, name)}.csv"
if curve.is_file():
    with curve.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            spool.log(number, {key: float(value) for key, value in row.items() if value and key not in ("step", "iteration")})
out = Path(f"artifacts/demo/{name}")
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(f"{name} {seed}\n")
if name == "report":
    shutil.copytree(PROJECT / "results/report", "results/report", dirs_exist_ok=True)
    other = PROJECT / f"results/seeds/{seed}.json"
    if other.is_file():
        summary = json.loads(other.read_text(encoding="utf-8"))
        Path("results/report/summary.json").write_text(json.dumps(summary))
        Path("results/report/metrics.json").write_text(json.dumps(metrics(summary)))
