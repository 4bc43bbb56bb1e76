"""The sources of problems as data sets of a run: what the stage collect read, each under its own name and with its own digest."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.run.collecting import Source


def digests(root: Path, params: Mapping[str, Any]) -> dict[str, str]:
    """Name -> digest of each source of `params` (dotted names, as graph.Facts has them); {} for a stage that reads none.

    The digest is the md5 of a source's file, as DVC's; the commit of a data set of the hub; for procedural problems, and a folder,
    the md5 of what params.yaml says of them, with the seed."""
    given = params.get("collect.sources", ())
    if not given:
        return {}
    from stages.problems.sources import title  # with all that reads problems: for this one stage only

    folder = root / str(params["collect.root"])
    return {title(Source.model_validate(source)): _digest(folder, source, params.get("seed")) for source in given}


def _digest(folder: Path, source: Mapping[str, Any], seed: Any) -> str:
    path = folder / source["path"] if source.get("path") else None
    if path is not None and path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    if source.get("revision"):
        return str(source["revision"])
    return hashlib.md5(json.dumps([source, seed], sort_keys=True).encode()).hexdigest()
