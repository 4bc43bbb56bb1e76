"""`python -m flows.begin MODULE ARGS` is `python -m MODULE ARGS` that starts faster, for the launchers of stages.

torch, transformers and DeepSpeed are a million objects that stay, and by Python's own limits a fourth of their import is spent on
looking for garbage among them. A program that runs without this is the same, 1.3 s later on two cores."""

import gc
import runpy
import sys

LIMITS = 50_000, 20, 50
"""Of the garbage collector; Python's own are 700, 10, 10."""


def main() -> None:
    """Run the module named first as the main program, with the arguments after it."""
    gc.set_threshold(*LIMITS)
    module, *sys.argv[1:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
