"""The gate: is this set fit to train on? The only door to Great Expectations (its import takes seconds, so it is lazy).

A suite is data: names of GX expectations with their arguments, over the tables of stages/data/profiles.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from stages.data.files import DataError, write_json
from stages.data.profiles import DEMONSTRATION_COLUMNS, NO_FAULT, PROBLEM_COLUMNS
from stages.data.records import VerifierName

if TYPE_CHECKING:
    import pandas

ROWS_NAMED = 20
MODALITIES = ("text", "image")
Rule = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Suite:
    """What a table must be like. `rules`: (class name of a GX expectation, its arguments)."""

    name: str
    rules: tuple[Rule, ...]


def prompt_set_suite(min_rows: int, max_dropped_share: float, modalities: Sequence[str]) -> Suite:
    """The prompt set that curate hands over. `modalities` are those that were collected; each must still be there."""
    rules = [
        *_identified(PROBLEM_COLUMNS),
        _among("split", ["train"]),
        _among("verifier", list(get_args(VerifierName))),
        _among("modality", list(MODALITIES)),
        _between("grade", 0, 5),
        _between("pass_rate", 0.0, 1.0),
        _between("question_characters", 1, 20_000),
        _between("answer_characters", 1, 2_000),
        _among("image_fault", [NO_FAULT]),
        _among("answer_fault", [NO_FAULT]),
        ("ExpectColumnMaxToBeBetween", {"column": "dropped_share", "max_value": max_dropped_share}),
        *_sizes(min_rows, modalities),
    ]
    return Suite("prompt_set", (*rules, *(_not_null(column) for column in ("source", "licence", "family", "domain"))))


def demonstration_suite(min_rows: int, modalities: Sequence[str]) -> Suite:
    """The demonstrations that warm_up hands over: long, verified, boxed, of prompts in the set, with the behaviours
    of §2.2."""
    rules = [
        *_identified(DEMONSTRATION_COLUMNS),
        _among("in_prompt_set", [True]),
        _among("form", ["long"]),
        _among("ends_boxed", [True]),
        _among("verdict", ["right"]),
        _among("image_fault", [NO_FAULT]),
        _between("response_characters", 1, 200_000),
        _between("behaviours", 0, 100_000),
        ("ExpectColumnMaxToBeBetween", {"column": "behaviours", "min_value": 1}),
        *_sizes(min_rows, modalities),
    ]
    return Suite("demonstrations", tuple(rules))


def check(table: "pandas.DataFrame", suite: Suite, folder: Path) -> None:
    """Validate `table`; folder/validation.json says how each expectation went. Raises DataError when one fails: its
    name, what was observed, and the ids of the first failing rows with their count."""
    outcomes = validate(table, suite)
    failed = [outcome for outcome in outcomes if not outcome["success"]]
    report = {"suite": suite.name, "success": not failed, "rows": len(table), "expectations": outcomes}
    write_json(folder / "validation.json", report)
    if failed:
        listed = "\n".join(f"  {_sentence(outcome)}" for outcome in failed)
        raise DataError(
            f"the {suite.name} fails {len(failed)} of {len(outcomes)} expectations and is not handed over:\n{listed}\n"
            f"correct the sources or the rules (params.yaml); {folder / 'validation.json'} has every expectation"
        )


def validate(table: "pandas.DataFrame", suite: Suite) -> list[dict[str, Any]]:
    """How each expectation of the suite went on the table, in the suite's order; nothing in it depends on the time."""
    import great_expectations
    from great_expectations import expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("profiles").add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": table})
    fields = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}
    outcomes = []
    for name, arguments in suite.rules:
        column = arguments.get("column")
        if column is not None and column not in table.columns:
            outcomes.append(_outcome(name, arguments, False, "the column is missing", []))
            continue
        result = batch.validate(getattr(expectations, name)(**arguments), result_format=fields)
        ids = [str(row["id"]) for row in result.result.get("unexpected_index_list") or []]
        outcomes.append(_outcome(name, arguments, bool(result.success), _observed(result), ids))
    return outcomes


def _outcome(name: str, arguments: dict[str, Any], success: bool, observed: str, ids: list[str]) -> dict[str, Any]:
    return {
        "expectation": name,
        "arguments": arguments,
        "success": success,
        "observed": observed,
        "failing_rows": len(ids),
        "failing_ids": ids[:ROWS_NAMED],
    }


def _observed(result: Any) -> str:
    """What an expectation over the whole column or table saw; the values of failing rows for one over rows."""
    if result.exception_info and result.exception_info.get("exception_message"):
        return str(result.exception_info["exception_message"])[:300]
    found = result.result
    if found.get("unexpected_count"):
        values = sorted({str(value)[:120] for value in found.get("partial_unexpected_list", [])})
        return f"{found['unexpected_count']} of {found['element_count']} rows, for example {', '.join(values[:3])}"
    if found.get("partial_missing_list"):
        return f"missing: {', '.join(map(str, found['partial_missing_list']))}"
    if "details" in found:
        return str(found["details"])[:300]
    return str(found.get("observed_value", ""))


def _sentence(outcome: dict[str, Any]) -> str:
    arguments = ", ".join(f"{key}={value!r}" for key, value in outcome["arguments"].items() if key != "column_set")
    text = f"{outcome['expectation']}({arguments}): {outcome['observed'] or 'not met'}"
    if not outcome["failing_rows"]:
        return text
    more = outcome["failing_rows"] - len(outcome["failing_ids"])
    return f"{text}; rows: {', '.join(outcome['failing_ids'])}" + (f" and {more} more" if more else "")


def _identified(columns: Sequence[str]) -> list[Rule]:
    return [
        ("ExpectTableColumnsToMatchSet", {"column_set": list(columns), "exact_match": True}),
        _not_null("id"),
        ("ExpectColumnValuesToBeUnique", {"column": "id"}),
    ]


def _sizes(min_rows: int, modalities: Sequence[str]) -> list[Rule]:
    return [
        ("ExpectTableRowCountToBeBetween", {"min_value": min_rows}),
        (
            "ExpectColumnDistinctValuesToContainSet",
            {"column": "modality", "value_set": [name for name in MODALITIES if name in modalities]},
        ),
    ]


def _not_null(column: str) -> Rule:
    return "ExpectColumnValuesToNotBeNull", {"column": column}


def _among(column: str, allowed: list[Any]) -> Rule:
    return "ExpectColumnValuesToBeInSet", {"column": column, "value_set": allowed}


def _between(column: str, low: float, high: float) -> Rule:
    return "ExpectColumnValuesToBeBetween", {"column": column, "min_value": low, "max_value": high}
