"""How every stage program starts and ends: a user's mistake is one clear line and exit code 2, never a traceback."""

import errno
import sys
from collections.abc import Callable

from safetensors import SafetensorError

from stages.data.files import DataError
from stages.run.params import ParamsError

FULL = {errno.ENOSPC: "no space left on the disk", errno.EDQUOT: "the disk quota is used up"}


def run(main: Callable[[], None]) -> None:
    """Call `main`; errors that a user can act on go to stderr as `error: ...` with exit code 2."""
    try:
        main()
    except (DataError, ParamsError, OSError, SafetensorError) as error:
        line = explained(error)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        sys.exit(2)


def explained(error: Exception) -> str | None:
    """What a user reads of `error`; None for one that no user can act on."""
    if isinstance(error, DataError | ParamsError):
        return str(error)
    full = FULL.get(getattr(error, "errno", None) or 0) or next(
        (text for number, text in FULL.items() if _says(error, number)), None
    )
    where = getattr(error, "filename", None)
    if full:
        return f"{f'{where}: ' if where else ''}{full}; free some and run the same command: it goes on from the last saved state"
    return f"{where}: {error.strerror}" if isinstance(error, OSError) and error.errno is not None and where else None


def _says(error: Exception, number: int) -> bool:
    """Whether the text of an error of safetensors, which has no errno, names it as Rust does: '(os error 28)'."""
    return isinstance(error, SafetensorError) and f"(os error {number})" in str(error)
