"""One row of a file of responses: its id as given, its sample number, and the texts that it gives, each fit to be judged or not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stages.benchmarks.benchmark import Benchmark, Item

Kind = Literal["response", "extraction", "verdicts", "fault"]
SAMPLE_FIELDS = ("sample", "sample_idx", "sample_index", "sample_id")
"""Fields that number the samples of an item, of which the first that holds a number counts."""
RESPONSE_FIELDS = ("response", "generated_responses", "completion", "resp", "completion_tail", "output_list", "code")
"""Fields that hold the response or the list of k, of which the first that the row has counts: ours, then those of published files
(DeepScaleR, AReaL, the samples of lm-evaluation-harness, FedLLM, LiveCodeBench, Qwen2.5-Math's harness)."""
PROMPT_FIELDS = ("prompt", "question", "problem", "input", "query")
"""Fields that hold the text of the prompt, by which a row without a known id is matched."""
_ID_FIELDS = ("id", "task_id", "question_id", "pid", "key", "unique_id", "idx", "name")
_CONTENT = (*RESPONSE_FIELDS, "extraction", "verdicts")


@dataclass(frozen=True)
class Text:
    """One sample of a row: a text to judge, or why there is none ("fault")."""

    kind: Kind
    text: str


def row_id(benchmark: Benchmark, row: Mapping[str, Any], known: Mapping[str, Item]) -> str | None:
    """The id of the row's item where one has it (62.0 is 62), else the id that the row has; None without."""
    try:
        name = benchmark.row_id(row)
    except (RecursionError, ValueError):
        return None
    if name is None or name in known:
        return name
    whole = re.sub(r"(?<=\d)\.0+$", "", name)
    return whole if whole in known else name


def given_id(benchmark: Benchmark, row: Mapping[str, Any], item: Item) -> Any:
    """The id as the row writes it, value and type: of the field that names the item alone, else of the first id field."""
    named = {name: row[name] for name in dict.fromkeys((*_ID_FIELDS, *row)) if name in row and name not in _CONTENT}
    plain = {name: value for name, value in named.items() if isinstance(value, str | int | float)}
    alone = (value for name, value in plain.items() if row_id(benchmark, {name: value}, {item.id: item}) == item.id)
    return next(alone, next((plain[name] for name in _ID_FIELDS if name in plain), item.id))


def sample_number(row: Mapping[str, Any]) -> int | None:
    """The row's number among the samples of its item; None where it gives none."""
    for name in SAMPLE_FIELDS:
        value = row.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            return int(value)
    return None


def texts(benchmark: Benchmark, item: Item, row: Mapping[str, Any]) -> list[Text]:
    """The samples of a row: its `verdicts`, else its `extraction`, else its response. Never empty."""
    if benchmark.takes_verdicts and row.get("verdicts") is not None:
        return _each("verdicts", row["verdicts"], _verdict)
    if benchmark.score_extraction is not None and row.get("extraction") is not None:
        return _extractions(item, row)
    name = next((name for name in RESPONSE_FIELDS if name in row), None)
    if name is None:
        fields = ["response", *["extraction"] * bool(benchmark.score_extraction), *["verdicts"] * benchmark.takes_verdicts]
        return [Text("fault", f"it has none of {', '.join(fields)}; its fields are {_few(row)}")]
    return _each("response", row[name], _response)


def listed(value: Any) -> list[Any]:
    """The value, as a list."""
    return value if isinstance(value, list) else [value]


def _each(kind: Kind, value: Any, read: Any) -> list[Text]:
    found: Sequence[str | Text] = [read(one) for one in listed(value)]
    if not found:
        return [Text("fault", f"{kind} is an empty list; expected one entry a sample")]
    return [one if isinstance(one, Text) else Text(kind, one) for one in found]


def _response(value: Any) -> str | Text:
    if value is None or isinstance(value, str):
        return value or ""
    return Text("fault", f"response is {type(value).__name__}; expected text, null, or a list of them, one a sample")


def _verdict(value: Any) -> str | Text:
    names = {True: "right", False: "wrong", "right": "right", "wrong": "wrong", "error": "error"}
    if not isinstance(value, bool | str) or value not in names:
        return Text("fault", f"the verdict {str(value)[:80]!r} is none of true, false, right, wrong, error")
    return names[value]


def _extractions(item: Item, row: Mapping[str, Any]) -> list[Text]:
    """A text or a number is an answer; a list of texts is k samples, but the one answer of an item whose answer is a list."""
    value, response = row["extraction"], row.get("response")
    flat = isinstance(value, list) and bool(value) and all(_plain(one) for one in value)
    texts_only = flat and all(isinstance(one, str) for one in value)
    if flat and item.data.get("answer_type") == "list" and (isinstance(response, str) or (response is None and not texts_only)):
        return [Text("extraction", str(value))]
    if texts_only:
        return [Text("extraction", one) for one in value]
    if _plain(value):
        return [Text("extraction", str(value))]
    kinds = ", ".join(sorted({type(one).__name__ for one in listed(value)})) or "nothing"
    what = f"a list of {kinds}" if isinstance(value, list) else kinds
    return [Text("fault", f"extraction is {what}; expected text, a number, or a list of texts, one a sample")]


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _few(row: Mapping[str, Any]) -> str:
    return ", ".join(name[:40] for name in list(row)[:12])
