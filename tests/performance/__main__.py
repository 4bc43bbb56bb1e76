"""`make bench`, or `python tests/performance [NAMES] [--repeats N]`: every benchmark in a process of its own, one table on the
screen, results/benchmarks.json with machine, load, versions, commit, sizes, medians and ranges. Nothing is asserted about time."""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import ROOT, environment, table, write

BENCHMARKS = (
    "supervised",
    "generation",
    "partial",
    "reinforcement",
    "orchestration",
    "verification",
    "scoring",
    "sandbox",
    "curation",
    "memory",
    "load",
    "real_model",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all without one")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of turns that count")
    parser.add_argument("--out", type=Path, default=ROOT / "results/benchmarks.json")
    parser.add_argument("--into", type=Path, help="run one benchmark in this process, its rows into this file")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if options.into:
        rows = importlib.import_module(options.names[0]).run(options.repeats)
        options.into.write_text(json.dumps([row.as_json() for row in rows]), encoding="utf-8")
        return 0
    failed = [name for name in options.names or BENCHMARKS if not measured(name, options.repeats, options.out)]
    if options.out.exists():
        found = json.loads(options.out.read_text(encoding="utf-8"))
        print(table([row for name in BENCHMARKS if name in found for row in found[name]["rows"]]))
    for name in failed:
        print(f"{name} failed", file=sys.stderr)
    return len(failed)


def measured(name: str, repeats: int, out: Path) -> bool:
    """Whether the benchmark ran; its rows go into `out`."""
    begun, around = time.monotonic(), environment()
    print(f"{name} ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        words = [sys.executable, str(Path(__file__).parent), name, "--repeats", str(repeats), "--into", str(rows)]
        if subprocess.run(words, cwd=ROOT, check=False).returncode:
            return False
        around["seconds"] = round(time.monotonic() - begun, 1)
        write(out, {name: {"environment": around, "rows": json.loads(rows.read_text(encoding="utf-8"))}})
    return True


if __name__ == "__main__":
    sys.exit(main())
