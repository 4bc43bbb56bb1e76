"""What a data set must be like before it is handed on: suites of expectations as data, over the tables of
stages/data/profiles.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from stages.data.images import MAX_ASPECT, SAFE_PIXELS
from stages.data.profiles import DEMONSTRATION_COLUMNS, NO_FAULT, PROBLEM_COLUMNS
from stages.data.records import VerifierName
from stages.run.sections import SetLimit, WarmUpLimit

MODALITIES = ("text", "image")
Rule = tuple[str, dict[str, Any]]
Bounds = Sequence[float | None]
"""[least, most]; None is no bound."""

SET_LIMITS: dict[str, tuple[str, str, Bounds]] = {
    "mean_pass_rate": ("ExpectColumnMeanToBeBetween", "pass_rate", (0.0, 1.0)),
    "question_characters": ("ExpectColumnValuesToBeBetween", "question_characters", (1, 20_000)),
    "median_question_characters": ("ExpectColumnMedianToBeBetween", "question_characters", (1, 20_000)),
    "largest_domain_share": ("ExpectColumnMaxToBeBetween", "domain_share", (0.0, 1.0)),
    "picture_share": ("ExpectColumnMeanToBeBetween", "picture", (0.0, 1.0)),
    "picture_pixels": ("ExpectColumnValuesToBeBetween", "picture_pixels", (1, SAFE_PIXELS)),
    "picture_aspect": ("ExpectColumnValuesToBeBetween", "picture_aspect", (1.0, MAX_ASPECT)),
    "template_loss": ("ExpectColumnMaxToBeBetween", "template_loss", (0.0, 0.5)),
}
"""Name in curate.limits -> expectation, column, bounds that hold where params.yaml gives none (ours)."""
DEMONSTRATION_LIMITS: dict[str, tuple[str, str, Bounds]] = {
    "response_characters": ("ExpectColumnValuesToBeBetween", "response_characters", (1, 200_000)),
    "median_response_characters": ("ExpectColumnMedianToBeBetween", "response_characters", (1, 200_000)),
    "mean_behaviours": ("ExpectColumnMeanToBeBetween", "behaviours", (0, 100_000)),
    "picture_share": ("ExpectColumnMeanToBeBetween", "picture", (0.0, 1.0)),
}
"""Likewise of warm_up.limits."""


@dataclass(frozen=True)
class Suite:
    """What a table must be like. `rules`: (class name of a GX expectation, its arguments)."""

    name: str
    rules: tuple[Rule, ...]


def prompt_set_suite(
    min_rows: int, max_dropped_share: float, modalities: Sequence[str], limits: Mapping[SetLimit, Bounds] | None = None
) -> Suite:
    """The prompt set that curate hands over. `modalities` are those that were collected; each must still be there. `limits`: bounds
    of names of SET_LIMITS instead of those there."""
    rules = [
        *_identified(PROBLEM_COLUMNS),
        _among("split", ["train"]),
        _among("verifier", list(get_args(VerifierName))),
        _among("modality", list(MODALITIES)),
        _between("grade", 0, 5),
        _between("pass_rate", 0.0, 1.0),
        _between("answer_characters", 1, 2_000),
        _among("image_fault", [NO_FAULT]),
        _among("picture_mode", ["RGB"]),
        _among("answer_fault", [NO_FAULT]),
        ("ExpectColumnMaxToBeBetween", {"column": "dropped_share", "max_value": max_dropped_share}),
        *_limited(SET_LIMITS, limits or {}),
        *_sizes(min_rows, modalities),
    ]
    return Suite("prompt_set", (*rules, *(_not_null(column) for column in ("source", "licence", "family", "domain"))))


def demonstration_suite(min_rows: int, modalities: Sequence[str], limits: Mapping[WarmUpLimit, Bounds] | None = None) -> Suite:
    """The demonstrations that warm_up hands over: long, verified, boxed, of prompts in the set, with the behaviours
    of §2.2. `limits`: as for the prompt set, of DEMONSTRATION_LIMITS."""
    rules = [
        *_identified(DEMONSTRATION_COLUMNS),
        _among("in_prompt_set", [True]),
        _among("form", ["long"]),
        _among("ends_boxed", [True]),
        _among("verdict", ["right"]),
        _among("image_fault", [NO_FAULT]),
        _between("behaviours", 0, 100_000),
        ("ExpectColumnMaxToBeBetween", {"column": "behaviours", "min_value": 1}),
        *_limited(DEMONSTRATION_LIMITS, limits or {}),
        *_sizes(min_rows, modalities),
    ]
    return Suite("demonstrations", tuple(rules))


def _limited(known: Mapping[str, tuple[str, str, Bounds]], limits: Mapping[Any, Bounds]) -> list[Rule]:
    """One rule for each known name, its bounds those of `limits` where it has them."""
    rules: list[Rule] = []
    for name, (expectation, column, usual) in known.items():
        least, most = limits.get(name, usual)
        bounds = {key: value for key, value in (("min_value", least), ("max_value", most)) if value is not None}
        rules += [(expectation, {"column": column, **bounds})] if bounds else []
    return rules


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
