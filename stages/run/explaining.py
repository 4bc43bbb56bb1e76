"""What a user reads of a value that params.yaml cannot have."""

import difflib
from pathlib import Path
from typing import Any, get_args

from stages.run.sections import Section


def explained(path: Path, problem: Any, root: type[Section]) -> str:
    """One problem that pydantic found in the parameters of `path`, whose whole is a `root`, as a user reads it."""
    where = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"{path}: unknown parameter {where!r}{nearest(str(problem['loc'][-1]), _known(problem['loc'][:-1], root))}"
    if problem["type"] == "missing":
        return f"{path}: parameter {where!r} is missing; give it a value (git diff params.yaml shows what changed)"
    if problem["type"] == "value_error":
        return f"{path}: {where}{': ' if where else ''}{problem['msg'].removeprefix('Value error, ')}"
    return f"{path}: {where} = {problem['input']!r}: {problem['msg']}"


def _known(location: tuple[int | str, ...], root: type[Section]) -> list[str]:
    """Names that the section at `location` knows."""
    kind: Any = root
    for name in location:
        found = kind.model_fields[name].annotation if name in kind.model_fields else kind  # else a place, or a key
        members = [found, *get_args(found)]
        kind = next((member for member in members if hasattr(member, "model_fields")), Section)
    return list(kind.model_fields)


def nearest(name: str, known: list[str]) -> str:
    """The known name that is like a wrong one, in words; all of them where none is."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"
