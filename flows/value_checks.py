"""Values that will run and are wrong all the same: those of the tiny model with a real one, segments that cannot end a response,
rows without worked solutions."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from flows.learning_rates import REAL, Rates, rates_for
from flows.model_sources import model_of
from flows.workload import problems
from stages.data.files import DataError
from stages.models.text_only import TEXT_ONLY
from stages.problems.procedural import IMAGE_FAMILIES
from stages.problems.rows import SUFFIXES, scan
from stages.run.collecting import Source
from stages.run.params import Params

FEW_TOKENS = 256
"""A response limit below this cuts the chain of thought of a real model."""
SMALL_CONTEXT = 1024
PEEKED = 2000
"""Rows of a file that are looked at."""


def tiny_values(params: Params, root: Path) -> Iterator[str]:
    """Values of the tiny model in a run of a real one."""
    model = model_of(params, root)
    if params.model.source == "scratch" or model.weights is None or model.weights < REAL:
        return
    limits = rates_for(model.weights)
    of = f"for {model.weights / 1e9:.2g} billion weights"
    for key, rate, most in _rates(params, limits):
        if rate > most:
            usual = limits.supervised if key.startswith("sft") else limits.reinforced
            yield f"{key} is {rate:g}, a rate of the tiny model; {of} at most {most:g}, {key}={usual:g} is usual"
    for key, tokens in _lengths(params):
        if tokens < FEW_TOKENS:
            yield f"{key} is {tokens}, a length of the tiny model; a real one is cut off before its answer, set 1024 or more"
    if params.model.context < SMALL_CONTEXT:
        yield f"model.context is {params.model.context}, a length of the tiny model; set 2048 or more"


def _rates(params: Params, limits: Rates) -> Iterator[tuple[str, float, float]]:
    for section, most in (("sft", limits.supervised_limit), ("rl", limits.reinforced_limit)):
        phases = getattr(params, section)
        for name in type(phases).model_fields:
            if (phase := getattr(phases, name)) is not None:
                yield f"{section}.{name}.learning_rate", phase.learning_rate, most
    if params.dpo is not None:
        yield "dpo.learning_rate", params.dpo.learning_rate, limits.reinforced_limit


def _lengths(params: Params) -> Iterator[tuple[str, int]]:
    if params.rl.long is not None:
        yield "rl.long.max_tokens", params.rl.long.max_tokens
    if params.curate.max_tokens is not None:
        yield "curate.max_tokens", params.curate.max_tokens
    yield "sample.max_tokens", params.sample.max_tokens
    yield "evaluate.max_tokens", params.evaluate.max_tokens


def staleness(params: Params, _root: Path) -> Iterator[str]:
    """Segments that do not reach the response limit in time: the rest of it is generated in one iteration, while ranks wait."""
    segment, most = params.rollout.segment_tokens, params.rollout.max_staleness
    for name in ("long", "short"):
        phase: Any = getattr(params.rl, name)
        if phase is not None and segment is not None and segment * most < phase.max_tokens:
            rest = phase.max_tokens - segment * most
            least = -(-phase.max_tokens // most)
            yield (
                f"rollout.segment_tokens = {segment} x max_staleness = {most} is less than rl.{name}.max_tokens = "
                f"{phase.max_tokens}: one iteration generates the last {rest} tokens at once, and all ranks wait; set "
                f"rollout.segment_tokens={least}"
            )


def solutions(params: Params, root: Path) -> Iterator[str]:
    """Problems without a worked solution, and what warm_up does then (§2.2)."""
    if params.warm_up.teacher is not None or not problems(params)["train"]:
        return
    rows, solved = _counted(params, root)
    if solved == rows:
        return
    if params.warm_up.self_taught is None:
        then = "warm_up makes no demonstration of them, since warm_up.self_taught is null"
    else:
        then = "warm_up samples the model itself for them and keeps the right answers (§2.2)"
    yield f"{rows - solved:,} of {rows:,} rows have no worked solution: {then}"


def unsolved_share(params: Params, root: Path) -> float:
    """Of the rows, those without a worked solution."""
    rows, solved = _counted(params, root)
    return (rows - solved) / rows if rows else 0.0


def _counted(params: Params, root: Path) -> tuple[int, int]:
    """Rows of all sources that were looked at, and those with a worked solution."""
    counts = [_solved(source, root / params.collect.root) for source in params.collect.sources]
    return sum(count for count, _ in counts), sum(count for _, count in counts)


def _solved(source: Source, folder: Path) -> tuple[int, int]:
    """Rows that were looked at, and those with a worked solution: all of sources whose form has one."""
    if source.kind not in ("jsonl", "csv", "parquet") or source.adapter != "own" or source.path is None:
        return (0, 0) if source.kind in ("mmmu", "hub") else (1, 1)
    path = folder / source.path
    if not path.is_file() or not any(suffix in SUFFIXES for suffix in path.suffixes):
        return (0, 0)
    column = source.columns.get("solution", "solution")
    try:
        rows = [row for _, row in islice(scan(path), PEEKED) if isinstance(row, Mapping)]
    except DataError:  # `collect` names what is wrong with the file
        return (0, 0)
    return len(rows), sum(bool(row.get(column)) for row in rows)


def pictures(params: Params, root: Path) -> Iterator[str]:
    """Values that ask for pictures of a model that reads none."""
    model = model_of(params, root)
    if model.weights is None or model.vision is not None:
        return
    for name in ("long", "short"):
        phase: Any = getattr(params.rl, name)
        if phase is not None and phase.image_share is not None:
            yield (
                f"rl.{name}.image_share is {phase.image_share} and {params.model.source} is a "
                f"{TEXT_ONLY}: rl@{name} will stop; set it to null"
            )
    families = sorted({name for source in params.collect.sources for name in source.families} & {*IMAGE_FAMILIES})
    if families:
        yield (
            f"{params.model.source} is a {TEXT_ONLY}: problems with pictures are left out of "
            f"{', '.join(families)}; leave these families out of collect.sources"
        )


CHECKS = (tiny_values, staleness, solutions, pictures)
"""(params, root) -> notes."""
