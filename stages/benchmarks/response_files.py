"""Files of responses as they are published: JSON lines, an array, an object by id, logs of inspect; plain or compressed by gzip."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.data.files import DataError

Line = tuple[int, dict[str, Any] | str]
"""Number of a line (of an entry, in an array or object) and its row; in place of a row that is not usable, why it is not."""
_ROW_FIELDS = frozenset(["id", "response", "rating", "verdicts", "extraction", "prompt", "question"])
"""Fields of which a row has one, and an object by id none."""


def read_lines(path: Path) -> list[Line]:
    """The rows of a file. DataError when there is none, or when it is no gzip file as its name says."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; correct the path")
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: cannot be read as gzip ({error}); fetch the file again") from None
    whole = _whole(content.removeprefix(b"\xef\xbb\xbf"))
    if whole is not None:
        return whole
    return [(number, _row(line)) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]


def published_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in our names: the document of lm-evaluation-harness and its responses, the sample of inspect and its completion."""
    found = dict(row)
    if isinstance(row.get("doc"), dict):
        found = {**row["doc"], **found}
        resps = row.get("resps")
        if isinstance(resps, list) and len(resps) == 1 and isinstance(resps[0], list):
            found["response"] = resps[0]
    output = row.get("output")
    if isinstance(output, dict) and isinstance(output.get("choices"), list):
        texts = [_message(choice) for choice in output["choices"]]
        found["response"] = texts[0] if len(texts) == 1 else texts
        found["sample"] = row.get("epoch", 1)
    return found


def _whole(content: bytes) -> list[Line] | None:
    """The rows of a file that is one JSON value; None for JSON lines."""
    start = content.lstrip()[:1]
    if start not in (b"[", b"{") or (start == b"{" and _is_row(content.lstrip().partition(b"\n")[0])):
        return None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return list(enumerate(_entries(value), 1))


def _is_row(line: bytes) -> bool:
    """Whether the first line is a row by itself, as in a file of JSON lines."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not _by_id(value) and not isinstance(value.get("samples"), list)


def _entries(value: Any) -> Iterator[dict[str, Any] | str]:
    if isinstance(value, dict) and isinstance(value.get("samples"), list):
        value = value["samples"]
    if isinstance(value, dict) and _by_id(value):
        value = [{"id": name, **(one if isinstance(one, dict) else {"response": one})} for name, one in value.items()]
    for one in value if isinstance(value, list) else [value]:
        yield one if isinstance(one, dict) else f"expected a JSON object, found {type(one).__name__}"


def _by_id(value: Mapping[str, Any]) -> bool:
    """Whether an object holds rows, or responses, by their ids."""
    if not value or _ROW_FIELDS & value.keys():
        return False
    return all(isinstance(one, dict) for one in value.values()) or (
        len(value) > 1 and all(isinstance(one, str) for one in value.values()) and not any("_" not in name for name in value)
    )


def _message(choice: Any) -> Any:
    """The text of a choice, of parts where the message holds a list of them."""
    message = choice.get("message") if isinstance(choice, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content


def _row(line: bytes) -> dict[str, Any] | str:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg} at column {error.colno})"
    except RecursionError:
        return "not usable JSON (nested too deeply)"
    except ValueError as error:
        return f"not usable JSON ({str(error)[:80]})"
    return row if isinstance(row, dict) else f"expected a JSON object, found {type(row).__name__}"
