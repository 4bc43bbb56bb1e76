"""Evaluates as stages.evaluate does: the accuracy of the second checkpoint is merge.weight, that of the first 0.25. It refuses a
weight of 1, and waits while the file `hold` is there."""

import json
import sys
import time
from pathlib import Path

from stages.run.params import read
from stages.run.sections import Merge

name = sys.argv[1]
accuracy = read("merge", Merge).weight if name == "second" else 0.25
while name == "second" and Path("hold").exists():
    Path("waiting").touch()
    time.sleep(0.05)
if accuracy == 1.0:
    print("error: the weight is 1", file=sys.stderr)
    sys.exit(3)
score = {"accuracy": accuracy, "ci95": [0.125, 0.875], "mean_tokens": 12.5, "p95_tokens": 20.0, "n": 8, "k": 1}
score |= {"truncated": 0.0, "unparsed": 0.0, "errors": 0.0, "stand_in": True}
content = {"checkpoint": name, "settings": {}, "parameters": 1, "suites": {"overall": score}, "benchmarks": {}}
Path("results/evaluations").mkdir(parents=True, exist_ok=True)
Path(f"results/evaluations/{name}.json").write_text(json.dumps(content))
