"""LiveCodeBench's tests as its data set publishes them: public ones as JSON, private ones as JSON or packed.

Packed is base64 of zlib of a pickle of a JSON text (huggingface.co/datasets/livecodebench/code_generation_lite). Such files come
from the net, so the pickle is read by a reader that knows texts only, and nothing grows beyond a limit."""

import base64
import binascii
import io
import json
import pickle
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.data.files import DataError
from stages.verifiers.code_tests import CallTest, StdinTest, Test

MAX_BYTES = 1 << 30
"""Of the tests of one problem, unpacked."""
NEEDED = "test*.jsonl of huggingface.co/datasets/livecodebench/code_generation_lite"


class _TextsOnly(pickle.Unpickler):
    """Refuses every name: no class and no function is ever loaded."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"the tests name {module}.{name}; only a text is read")


def rows(paths: Sequence[Path]) -> Iterator[tuple[dict[str, Any], tuple[Path, int]]]:
    """Every row of the files that has tests, without them, and where it stands. The files may be large."""
    for path in paths:
        with path.open("rb") as lines:
            start = 0
            for line in lines:
                row = _object(line, path) if line.strip() else {}
                tests = [row.pop(name, None) for name in ("public_test_cases", "private_test_cases")]
                if any(tests):
                    yield row, (path, start)
                start += len(line)


def read(path: Path, start: int) -> list[Test]:
    """All tests of the row that begins at `start`, public ones first. DataError for a row that cannot be read."""
    with path.open("rb") as file:
        file.seek(start)
        row = _object(file.readline(), path)
    return tests_of(row, str(path))


def tests_of(row: Mapping[str, Any], where: str) -> list[Test]:
    """The tests of a published row: stdin, or calls of metadata's func_name."""
    name = row.get("question_id")
    try:
        metadata = row.get("metadata") or {}
        metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
        cases = [*_cases(row.get("public_test_cases")), *_cases(row.get("private_test_cases"))]
        function = metadata.get("func_name")
        tests: list[Test] = [
            CallTest(str(function), case["input"], case["output"]) if function else StdinTest(case["input"], case["output"])
            for case in cases
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, pickle.UnpicklingError, EOFError) as error:
        raise DataError(
            f"{where}: the tests of {name!r} cannot be read ({type(error).__name__}: {error}); fetch {NEEDED}"
        ) from error
    if not tests:
        raise DataError(f"{where}: {name!r} has no tests; fetch {NEEDED}")
    return tests


def _cases(value: Any) -> list[dict[str, str]]:
    if not value:
        return []
    if not isinstance(value, str):
        return list(value)
    try:
        return list(json.loads(value))
    except json.JSONDecodeError:
        return list(json.loads(_unpacked(value)))


def _unpacked(value: str) -> str:
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(base64.b64decode(value.encode("utf-8"), validate=True), MAX_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"neither JSON nor packed: {error}") from None
    if unpacking.unconsumed_tail:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    text = _TextsOnly(io.BytesIO(content)).load()
    if not isinstance(text, str | bytes):
        raise ValueError(f"a pickled {type(text).__name__}, expected a text")
    return text if isinstance(text, str) else text.decode("utf-8")


def _object(line: bytes, path: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{path}: a line is not JSON ({error}); fetch {NEEDED}") from error
    if not isinstance(row, dict):
        raise DataError(f"{path}: expected JSON objects, found {type(row).__name__}; fetch {NEEDED}")
    return row
