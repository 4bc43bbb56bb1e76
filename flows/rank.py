"""One rank under its watch: `python -m flows.rank MODULE ARGS`, what the launchers of several processes start.

It runs `python -m MODULE ARGS` and waits. When that fails it says which rank failed and how ("rank 1 of 2 was killed by signal 9"),
which no launcher tells of a rank that can say nothing itself, and ends with a code that makes every launcher end the others."""

import os
import signal
import subprocess
import sys
from types import FrameType

from flows.processes import signal_on_death_of

OUT_OF_MEMORY = (
    "; the kernel does that when memory runs out (dmesg tells): lower hardware.micro_batch_tokens or generation_batch, and run the "
    "same command: training goes on from its last saved state"
)


def main() -> int:
    """Run the rank's program; its exit code as a shell would give it."""
    words = [sys.executable, "-u", "-m", "flows.begin", *sys.argv[1:]]
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, preexec_fn=signal_on_death_of(os.getpid()))
    asked: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        asked.append(number)
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    signal.signal(signal.SIGINT, lambda number, _: asked.append(number))  # a terminal sends it to the child, too
    code = child.wait()
    if code and not asked:
        print(told(code), file=sys.stderr, flush=True)
    return 128 - code if code < 0 else code


def told(code: int) -> str:
    """How this rank ended, in a line."""
    name = f"rank {os.environ.get('RANK', '0')} of {os.environ.get('WORLD_SIZE', '1')}"
    if code >= 0:
        return f"{name} ended with exit code {code}"
    return f"{name} was killed by signal {-code}{OUT_OF_MEMORY if code == -signal.SIGKILL else ''}"


if __name__ == "__main__":
    sys.exit(main())
