"""Writes artifacts/halves/N in place, each in two halves; waits between the halves of the last while the file `hold` exists."""

import os
import time
from pathlib import Path

from stages.run.params import read

seed = read("seed", int)
folder = Path("artifacts/halves")
folder.mkdir(parents=True, exist_ok=True)
for number in range(200):
    with (folder / str(number)).open("w") as file:
        file.write(f"{seed} {number} first\n")
        file.flush()
        if number == 199:
            Path("pid.txt").write_text(str(os.getpid()))
            while Path("hold").exists():
                time.sleep(0.02)
        file.write(f"{seed} {number} second\n")
