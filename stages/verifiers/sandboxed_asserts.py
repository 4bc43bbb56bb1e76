"""Runs inside the sandbox: a program, then tests that call it, then a word that proves that the tests ran to their end.

Standard input holds four parts, each with its length: preamble with program, tests, word. The tests are read only after the
program's own statements have run, the word only after the tests have; a program that ends early never gets there."""

import os
import sys


def part() -> str:
    """The next part of standard input."""
    digits = b""
    while (byte := os.read(0, 1)) != b"\n":
        digits += byte
    left, pieces = int(digits), []
    while left:
        pieces.append(os.read(0, left))
        left -= len(pieces[-1])
    return b"".join(pieces).decode()


def main() -> None:
    """Run the three parts in one namespace, as the published harnesses do."""
    import builtins

    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # what `site` would have made
    out, write, leave = os.dup(1), os.write, os._exit
    names = {"__name__": "__main__"}
    try:
        exec(compile(part(), "program", "exec"), names)
        exec(compile(part(), "tests", "exec"), names)
    except SystemExit:
        leave(1)
    write(out, part().encode())
    leave(0)


if __name__ == "__main__":
    main()
