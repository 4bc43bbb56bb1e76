"""A stage with resumable state: it fails at its first run, leaving some, and says at the next whether it found it."""

import sys
from pathlib import Path

state = Path("artifacts/state/resumes-it/key/latest.json")
print("resumed" if state.exists() else "afresh")
state.parent.mkdir(parents=True, exist_ok=True)
if not state.exists():
    state.write_text("{}")
    sys.exit("interrupted")
Path("artifacts/resumed.txt").write_text("done")
