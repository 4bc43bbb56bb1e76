"""How every stage program starts and ends: a user's mistake is one clear line and exit code 2, never a traceback.

One of several ranks leaves at once, without Python's clean-up: that could wait for the others, who wait for this rank."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from stages.data.files import DataError
from stages.run.params import ParamsError
from stages.run.ranks import rank, where, world_size


def run(main: Callable[[], None]) -> None:
    """Call `main`; errors that a user can act on go to stderr as `error: ...` with exit code 2. Of several ranks, one that fails
    otherwise ends its traceback with a line that names rank and step, and exit code 1."""
    try:
        main()
    except (DataError, ParamsError) as error:
        _leave(f"error: {error}", 2)
    except OSError as error:
        if error.errno is None or error.filename is None:
            _failed(error)
        _leave(f"error: {error.filename}: {error.strerror}", 2)
    except Exception as error:  # noqa: BLE001 - it ends the program
        _failed(error)


def _failed(error: Exception) -> NoReturn:
    if world_size() == 1:
        raise error
    traceback.print_exception(error)
    place = where(error) or f"rank {rank()} of {world_size()}"
    _leave(f"error: {place}: {type(error).__name__}: {' '.join(str(error).split())[:300]}", 1)


def _leave(line: str, code: int) -> NoReturn:
    print(line, file=sys.stderr)
    if world_size() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
