"""Runs inside the sandbox: a program, then tests that call it, then a word that proves that the tests ran to their end.

Standard input holds four parts, each with its length: preamble with program, tests, word. The tests are read only after the
program's own statements have run, the word only after the tests have; a program that ends early never gets there."""

import builtins
import os
import sys
from collections.abc import Callable


def part(read: Callable[[int, int], bytes] = os.read, number: type[int] = int) -> str:
    """The next part of standard input."""
    digits = b""
    while (byte := read(0, 1)) != b"\n":
        digits += byte
    left, found = number(digits), b""
    while left:
        piece = read(0, left)
        found, left = found + piece, left - piece.__len__()
    return found.decode()


def main() -> None:
    """Run the three parts in one namespace, as the published harnesses do. What comes after the program uses nothing that the
    program can have replaced in a module or among the built-in names."""
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # what `site` would have made
    out, write, leave, run, translate, following, ended = os.dup(1), os.write, os._exit, exec, compile, part, SystemExit
    names = {"__name__": "__main__"}
    try:
        run(translate(following(), "program", "exec"), names)
        run(translate(following(), "tests", "exec"), names)
    except ended:
        leave(1)
    write(out, following().encode())
    leave(0)


if __name__ == "__main__":
    main()
