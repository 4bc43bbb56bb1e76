"""The sources of problems as data sets of a run: what the stage collect read, each under its own name and with its own digest."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def digests(root: Path, params: Mapping[str, Any]) -> dict[str, str]:
    """Name -> digest of each source of `params` (dotted names, as graph.Facts has them); {} for a stage that reads none.

    The digest is the md5 of a source's file, as DVC's; the commit of a data set of the hub; for procedural problems, and a folder,
    the md5 of what params.yaml says of them, with the seed."""
    folder = root / str(params.get("collect.root", ""))
    return {_name(source): _digest(folder, source, params.get("seed")) for source in params.get("collect.sources", ())}


def _name(source: Mapping[str, Any]) -> str:
    """As the messages of the stage and its funnel call it (stages.problems.sources.title)."""
    return source.get("path") or f"{source['kind']} {' '.join(source['families'])}"


def _digest(folder: Path, source: Mapping[str, Any], seed: Any) -> str:
    path = folder / source["path"] if source.get("path") else None
    if path is not None and path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    if source.get("revision"):
        return str(source["revision"])
    return hashlib.md5(json.dumps([source, seed], sort_keys=True).encode()).hexdigest()
