"""Codeforces by majority vote, as the report scores it (appendix C): of the k programs to a problem the one that the vote chooses
is the only attempt. The test inputs of the vote are the model's own (stages/benchmarks/coding_vote.py)."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.benchmarks import coding_codeforces, coding_rows
from stages.benchmarks.averages import Average, Judged
from stages.benchmarks.benchmark import Benchmark, Item
from stages.benchmarks.coding_livecodebench import extracted
from stages.benchmarks.coding_vote import behaviour, chosen, inputs_of, inputs_prompt
from stages.benchmarks.response_files import read_lines
from stages.benchmarks.responses import Matched
from stages.data.files import DataError
from stages.rollout.engine import Prompt
from stages.verifiers.boxes import final_part
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable
from stages.verifiers.verdict import Verdict

INPUTS = "inputs"
"""Field of a row, and of Item.data, that holds the test inputs of a problem."""
BESIDE = "_inputs.jsonl"
"""Ending of the file beside the responses that holds what the model wrote when asked for inputs."""
RULE = (
    "of the k programs to a problem the majority vote by test inputs that the same model wrote chooses the only attempt "
    "(the report, appendix C); rating by CodeElo's method, percentile in CodeElo's table (the report's own table is unpublished)"
)


def prompt(item: Item) -> Prompt:
    """Asks the model for test inputs of a problem."""
    return inputs_prompt(item.question)


def with_inputs(item: Item, response: str) -> Item:
    """The item with the test inputs that a response holds in its code blocks."""
    return replace(item, data={**item.data, INPUTS: inputs_of(final_part(response))})


def match_ballots(benchmark: Benchmark, items: Sequence[Item], path: Path) -> Matched:
    """The rows of programs by item, each item with its test inputs: of the rows' field `inputs`, else of the file beside.

    DataError where a problem has several verdicts without programs, or where no problem has inputs and one has several
    programs."""
    matched = coding_rows.match_rating(benchmark, items, path)
    inputs = _inputs_in(benchmark, path) | _inputs_in(benchmark, path.with_name(path.stem + BESIDE))
    several = [name for name, given in matched.given.items() if len(given.texts) > 1]
    bare = next((name for name in several if "verdicts" in matched.given[name].kinds), None)
    if bare is not None:
        raise DataError(f"{path}: {bare!r} has verdicts without programs; a vote is over programs, so give `response` too")
    if several and not any(inputs.get(name) for name in several):
        wanted = f"`{INPUTS}` in the rows, or {path.stem}{BESIDE} beside the file (k15 generate writes it)"
        raise DataError(f"{path}: no test inputs for the vote over {len(several)} problems; expected {wanted}")
    for name, given in matched.given.items():
        item = replace(given.item, data={**given.item.data, INPUTS: inputs.get(name, [])})
        matched.given[name] = replace(given, item=item)
    return matched


def score(pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
    """Verdicts of all programs, of which each problem's chosen one says so in its details. DataError as of coding_codeforces."""
    verdicts = coding_codeforces.score(pairs, workers, seconds)
    places: dict[str, list[int]] = {}
    for place, (item, _) in enumerate(pairs):
        places.setdefault(item.id, []).append(place)
    voting = [group for group in places.values() if len(group) > 1]
    reason = (why_unavailable() or missing("python")) if voting else None
    if reason is not None:
        raise DataError(f"Codeforces: the vote runs programs; {reason}")
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for group, winner in zip(voting, pool.map(lambda group: _winner([pairs[place] for place in group]), voting), strict=True):
            if winner is not None:
                verdict = verdicts[group[winner]]
                verdicts[group[winner]] = replace(verdict, details={**verdict.details, "chosen": True})
    return verdicts


def percentile(judged: Sequence[Judged]) -> Average:
    """The percentile of the rating that the chosen programs reach; beside it the rating, and how many problems had no inputs."""
    attempts = [(one.item, _attempt(one.verdicts)) for one in judged]
    estimate, figures = coding_codeforces.percentile_of(attempts)
    several = [one for one in judged if len(one.verdicts) > 1]
    undecided = sum(not _attempt(one.verdicts) for one in several)
    without = sum(not one.item.data.get(INPUTS) for one in several)
    return Average(estimate, {**figures, "voted": len(several), "votes_without_inputs": without, "votes_for_none": undecided})


def _attempt(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    """The one verdict that counts; of several that of the chosen program, or none."""
    return verdicts if len(verdicts) == 1 else [verdict for verdict in verdicts if verdict.details.get("chosen")]


def _winner(pairs: Sequence[tuple[Item, str]]) -> int | None:
    """Index of the chosen program. Without inputs all programs agree, so the first one is chosen."""
    programs, item = [extracted(response) for _, response in pairs], pairs[0][0]
    inputs, seconds = item.data.get(INPUTS) or [], item.data.get("seconds", 6.0)
    if not inputs:
        return next((number for number, program in enumerate(programs) if program), None)
    behaviours = {program: behaviour(program, inputs, seconds=seconds) for program in dict.fromkeys(programs) if program}
    return chosen([behaviours.get(program) for program in programs])


def _inputs_in(benchmark: Benchmark, path: Path) -> dict[str, list[str]]:
    """Test inputs by item of a file's rows; {} where the file is not there."""
    found: dict[str, list[str]] = {}
    for line, row in read_lines(path) if path.is_file() else []:
        name = None if isinstance(row, str) else benchmark.row_id(row)
        if isinstance(row, str) or name is None or name in found:
            continue
        given = row.get(INPUTS, row.get("response") if path.name.endswith(BESIDE) else None)
        if given is not None:
            found[name] = _inputs(given, f"{path}:{line}")
    return found


def _inputs(value: Any, where: str) -> list[str]:
    if isinstance(value, str):
        return inputs_of(final_part(value))
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    shown = json.dumps(value)[:80] if not isinstance(value, Mapping) else "an object"
    raise DataError(f"{where}: inputs: {shown}; expected a list of texts, or the text of a response with its code blocks")
