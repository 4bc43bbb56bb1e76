"""Two ranks add numbers together; in the middle of it one of them does what its argument says."""

import os
import signal
import sys

import torch
import torch.distributed as dist

from stages.data.files import DataError
from stages.run.program import run
from stages.run.ranks import collective_time_out, during, rank


def main() -> None:
    dist.init_process_group("gloo", timeout=collective_time_out())
    for step in range(5):
        with during(f"step {step}"):
            if step == 3 and rank() == 1:
                die()
            with during("adding up"):
                dist.all_reduce(torch.ones(1))
    print(f"rank {rank()} is through")


def die() -> None:
    """As the argument says."""
    if sys.argv[1] == "raise":
        raise KeyError("no such thing")
    if sys.argv[1] == "refuse":
        raise DataError("d.jsonl: no such file")
    if sys.argv[1] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run(main)
