"""`python -m flows.begin MODULE ARGS` is `python -m MODULE ARGS` that starts faster, for the launchers of stages: torch,
transformers and DeepSpeed are imported under flows.environment.GARBAGE. A program without it is the same, 1.3 s later."""

import gc
import runpy
import sys

from flows.environment import GARBAGE


def main() -> None:
    """Run the module named first as the main program, with the arguments after it."""
    gc.set_threshold(*GARBAGE)
    module, *sys.argv[1:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
