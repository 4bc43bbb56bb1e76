"""Runs inside the sandbox: a generator of test inputs (§2.3.5), once for each number, each in a forked process.

The generator is an ordinary Python program. It finds its number, from 1, in sys.argv[1]; the module `random`, which CYaRon draws
from, is seeded by the number and the seed of the set. What it prints is the input; where it prints nothing, what it wrote into
files named *.in, as CYaRon's IO does.

Called with the CPU seconds of one input and its most bytes. In: for each input a line with its length, then "NUMBER SEED". Out: for
each a line "status length", then the input."""

import contextlib
import glob
import importlib
import io
import os
import random
import sys
import tempfile

from stages.verifiers.sandboxed_tests import forked, parts

GENERATOR = "/box/generator.py"


def generated(program: str, text: str) -> str:
    """The input that the generator makes for "NUMBER SEED". An exception is the generator's own."""
    number, _, _ = text.partition(" ")
    os.chdir(tempfile.mkdtemp())
    random.seed(text)
    sys.argv = ["generator.py", number]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(program, GENERATOR, "exec"), {"__name__": "__main__"})
        except SystemExit as leaving:
            if leaving.code not in (None, 0):
                raise
    if printed.getvalue().strip():
        return printed.getvalue()
    written = [open(name, encoding="utf-8").read() for name in sorted(glob.glob("*.in"))]  # noqa: SIM115 - the process ends here
    return "".join(written[:1])


def main(seconds: float, most: int) -> None:
    """Run the generator for every number; one that fails has its status and no part in the others."""
    with open(GENERATOR, encoding="utf-8") as file:
        program = file.read()
    numbers, out = parts(), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    if "cyaron" in program:
        with contextlib.suppress(ImportError):  # once, so that every forked process has it already
            importlib.import_module("cyaron")
    for text in numbers:
        status, output = forked(lambda wanted: generated(program, wanted), text, seconds, most)
        out.write(b"%s %d\n%s" % (status.encode(), len(output), output))
        out.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
