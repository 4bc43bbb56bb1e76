"""The gate: is this set fit to train on? The only door to Great Expectations (its import takes seconds, so it is lazy).

A suite is data: names of GX expectations with their arguments, over the tables of stages/data/profiles.py."""

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.data.files import DataError, write_json, write_text
from stages.data.suites import Suite

if TYPE_CHECKING:
    import pandas

ROWS_NAMED = 20


def check(table: "pandas.DataFrame", suite: Suite, folder: Path, docs: Path) -> None:
    """Validate `table`; folder/validation.json says how each expectation went, docs/index.html shows it as Great Expectations' Data
    Docs do, in one file that needs no network. Raises DataError when one fails: its name, what was observed, and the ids of the
    first failing rows with their count."""
    outcomes, results = validate(table, suite)
    failed = [outcome for outcome in outcomes if not outcome["success"]]
    report = {"suite": suite.name, "success": not failed, "rows": len(table), "expectations": outcomes}
    write_json(folder / "validation.json", report)
    write_text(docs / "index.html", data_docs(suite.name, results))
    if failed:
        listed = "\n".join(f"  {_sentence(outcome)}" for outcome in failed)
        raise DataError(
            f"the {suite.name} fails {len(failed)} of {len(outcomes)} expectations and is not handed over:\n{listed}\n"
            f"correct the sources or the rules (params.yaml); all of them: {docs / 'index.html'}, {folder / 'validation.json'}"
        )


def validate(table: "pandas.DataFrame", suite: Suite) -> tuple[list[dict[str, Any]], list[Any]]:
    """How each expectation of the suite went on the table, in the suite's order, and Great Expectations' own results (of a column
    that is missing there is none); nothing in them depends on the time."""
    import great_expectations
    from great_expectations import expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("profiles").add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": table})
    fields = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}
    outcomes, results = [], []
    for name, arguments in suite.rules:
        column = arguments.get("column")
        if column is not None and column not in table.columns:
            outcomes.append(_outcome(name, arguments, False, "the column is missing", []))
            continue
        result = batch.validate(getattr(expectations, name)(**arguments), result_format=fields)
        ids = [str(row["id"]) for row in result.result.get("unexpected_index_list") or []]
        outcomes.append(_outcome(name, arguments, bool(result.success), _observed(result), ids))
        results.append(result)
    return outcomes, results


def data_docs(name: str, results: Sequence[Any]) -> str:
    """The page of a validation by Great Expectations' own renderers, in a frame of ours: theirs loads styles, scripts and pictures
    from a dozen servers. Equal bytes for equal results."""
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.core.expectation_validation_result import expectationValidationResultSchema
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    plain = [ExpectationValidationResult(**expectationValidationResultSchema.load(_shortened(result))) for result in results]
    right = sum(bool(result.success) for result in plain)
    counts = {
        "evaluated_expectations": len(plain),
        "successful_expectations": right,
        "unsuccessful_expectations": len(plain) - right,
        "success_percent": 100 * right / len(plain) if plain else None,
    }
    whole = ExpectationSuiteValidationResult(
        success=right == len(plain), results=plain, suite_name=name, statistics=counts, meta={}, suite_parameters={}
    )
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(whole)
    document.sections = document.sections[:-1]  # the last one tells versions and times of the run
    view = DefaultJinjaPageView(custom_views_directory=str(Path(__file__).parent))
    numbers = count(1)
    view.env.filters["generate_html_element_uuid"] = lambda prefix=None: f"{prefix or ''}{next(numbers)}"
    heading = f"Great Expectations: {name.replace('_', ' ')}"
    return str(view.render(document, template="data_docs.j2", heading=heading))


def _shortened(result: Any) -> dict[str, Any]:
    """A result as JSON, its lists of failing rows cut to those that are named."""
    found: dict[str, Any] = json.loads(json.dumps(result.to_json_dict()))  # numpy's numbers become plain ones
    for key in ("unexpected_list", "unexpected_index_list", "partial_unexpected_list", "partial_unexpected_index_list"):
        if isinstance(found["result"].get(key), list):
            found["result"][key] = found["result"][key][:ROWS_NAMED]
    return found


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
