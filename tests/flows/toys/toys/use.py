"""Combines the made seed with merge.weight into a metric; refuses a weight of 1."""

import json
import sys
from pathlib import Path

from stages.run.params import read
from stages.run.sections import Merge

weight = read("merge", Merge).weight
with Path("ran.txt").open("a") as ran:
    ran.write("use\n")
if weight == 1.0:
    print("some noise", file=sys.stderr)
    print("error: the weight is 1", file=sys.stderr)
    sys.exit(3)
Path("results").mkdir(exist_ok=True)
value = int(Path("artifacts/made.txt").read_text()) + weight
Path("results/used.json").write_text(json.dumps({"value": value}))
