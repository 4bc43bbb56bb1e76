"""A parent, a child and a grandchild that ignore SIGTERM below the first; all sleep. Their ids go to pids.txt."""

import os
import signal
import sys
import time
from pathlib import Path

for generation in range(3):
    with Path("pids.txt").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if generation < 2 and os.fork():
        break
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
sys.exit(9)
