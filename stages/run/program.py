"""How every stage program starts and ends: a user's mistake is one clear line and exit code 2, never a traceback.

One of several ranks leaves at once, without Python's clean-up: that could wait for the others, who wait for this rank."""

import atexit
import errno
import gc
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from safetensors import SafetensorError

from stages.data.display import visible
from stages.data.files import DataError
from stages.run.params import ParamsError
from stages.run.ranks import rank, where, world_size
from stages.run.secrets import hidden

FULL = {errno.ENOSPC: "no space left on the disk", errno.EDQUOT: "the disk quota is used up"}


def run(main: Callable[[], None]) -> None:
    """Call `main`, and wait until all that it wrote is on the disk. Errors that a user can act on
    go to stderr as `error: ...` with exit code 2. Of several ranks, one that fails otherwise ends
    its traceback with such a line, and exit code 1. Both lines name rank and step."""
    atexit.register(_leave_the_group)
    _ask_nobody()
    try:
        main()
    except Exception as error:  # noqa: BLE001 - it ends the program
        line = explained(error)
        if line is None:
            _failed(error)
        place = f"{where(error)}: " if world_size() > 1 and where(error) else ""
        _leave(f"error: {place}{line}", 2)
    if rank() == 0:
        os.sync()  # what libraries wrote too: whoever believes this stage done finds its files
    gc.freeze()  # or Python ends by looking for garbage among all that torch and DeepSpeed made, for more than a second


def _ask_nobody() -> None:
    """No stage reads standard input, so no library may: what is typed, or piped in, answers no question of a checkpoint's code."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _leave_the_group() -> None:
    """Threads of gloo that outlive Python may abort a program that has done its work (github.com/pytorch/pytorch/issues/190489)."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_initialized():
        distributed.destroy_process_group()


def explained(error: Exception) -> str | None:
    """What a user reads of `error`; None for one that no user can act on."""
    if isinstance(error, DataError | ParamsError):
        return str(error)
    if not isinstance(error, OSError | SafetensorError):
        return None
    named = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    for number, text in FULL.items():
        if getattr(error, "errno", None) == number or f"(os error {number})" in str(error):  # as Rust names it, in safetensors
            return f"{named}{text}; free some and run the same command: it goes on from the last saved state"
    return f"{named}{error.strerror}" if isinstance(error, OSError) and error.errno is not None and named else None


def _failed(error: Exception) -> NoReturn:
    if world_size() == 1:
        raise error
    traceback.print_exception(error)
    place = where(error) or f"rank {rank()} of {world_size()}"
    _leave(f"error: {place}: {type(error).__name__}: {' '.join(str(error).split())[:300]}", 1)


def _leave(line: str, code: int) -> NoReturn:
    print(visible(hidden(line)), file=sys.stderr)
    if world_size() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
