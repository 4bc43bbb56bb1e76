"""How many weights a saved model has, read from the headers of its safetensors files."""

import json
import math
import struct
from pathlib import Path

from stages.data.files import DataError


def count_parameters(folder: Path) -> int:
    """Number of weights in the *.safetensors files of `folder` (tied ones are stored, and counted, once).

    Format: https://huggingface.co/docs/safetensors. DataError when there are none or a header is broken."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError(f"{folder}: no *.safetensors there; run the stage that makes this checkpoint (dvc repro)")
    return sum(_count(path) for path in files)


def _count(path: Path) -> int:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > path.stat().st_size:
                raise ValueError("the header is longer than the file")
            header = json.loads(file.read(length))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a safetensors file ({error}); run the stage that makes it again") from error
