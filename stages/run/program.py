"""How every stage program starts and ends: a user's mistake is one clear line and exit code 2, never a traceback."""

import sys
from collections.abc import Callable

from stages.data.files import DataError
from stages.run.params import ParamsError


def run(main: Callable[[], None]) -> None:
    """Call `main`; errors that a user can act on go to stderr as `error: ...` with exit code 2."""
    try:
        main()
    except (DataError, ParamsError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno is None or error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
