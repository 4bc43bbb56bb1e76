"""Responses of any model to any of the benchmarks, kept as files that can be scored again, and their scores as a column."""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from stages.benchmarks.answering import Drawn, Progress, draw
from stages.benchmarks.benchmark import Benchmark
from stages.benchmarks.columns import Cell, benchmark_suites, cell
from stages.benchmarks.decoding import Decoding
from stages.benchmarks.journal import Journal
from stages.benchmarks.suites import Suite, inputs_suite
from stages.data.files import DataError, write_json
from stages.models.text_only import TEXT_ONLY
from stages.rollout.responder import Responder

SCORES = "scores.json"
Protocol = Literal["short", "long"]


@dataclass(frozen=True)
class Wanted:
    """The benchmarks to ask, and how to sample the responses."""

    benchmarks: Sequence[str]
    root: Path
    """Folder that holds the benchmarks' folders."""
    limit: int | None
    """Items of each benchmark; None for all."""
    protocol: Protocol
    """Of which kind of models the benchmarks' own decoding is taken."""
    seed: int
    workers: int
    """Processes that compare answers."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of Decoding that differ from the protocol."""
    pictures: bool = True
    """Whether the model reads pictures; one that does not is asked no item of a picture benchmark."""

    def decoding(self, benchmark: Benchmark) -> Decoding:
        """Return the sampling settings of one benchmark."""
        usual = benchmark.short_cot if self.protocol == "short" else benchmark.long_cot
        if not self.changes:
            return usual
        return replace(usual, **self.changes, source=f"{usual.source}; changed: {', '.join(sorted(self.changes))}")

    def rules(self, benchmark: Benchmark) -> Benchmark:
        """Return the benchmark with the rules of the protocol's table, and with its majority vote
        where it has one and several samples are taken."""
        return benchmark.for_table(2 if self.protocol == "long" else 3, self.decoding(benchmark).samples)


@dataclass(frozen=True)
class Cost:
    """What a run took, responses of earlier runs included."""

    responses: int
    excluded: int
    """Questions that could not be asked; they count as wrong."""
    failed: int
    """Responses that did not come."""
    prompt_tokens: int
    tokens: int
    uncounted: int
    """Responses whose tokens an endpoint did not count."""


@dataclass(frozen=True)
class Generated:
    """What a run gave."""

    cells: dict[str, Cell]
    """By benchmark, those that were not asked too."""
    failures: list[str]
    """One line each."""
    cost: Cost


def generate(
    wanted: Wanted, responder: Responder, out: Path, name: str, parameters: int | None, about: Mapping[str, Any], progress: Progress
) -> Generated:
    """Ask, keep and score: `out`/<benchmark>.jsonl, a row a response, and `out`/scores.json, a column called `name`.

    Where samples are voted on, `out`/<benchmark>_inputs.jsonl holds what the model wrote when asked for test inputs.
    What stands in `out` already is not asked again. DataError when there is nothing to ask, when `out` holds responses that were
    drawn in another way, or when the responder cannot go on."""
    real, cells = benchmark_suites(
        wanted.benchmarks,
        wanted.root,
        wanted.limit,
        wanted.decoding,
        wanted.rules,
        wanted.workers,
        unscored=True,
        pictures=wanted.pictures,
    )
    if not real:
        raise DataError(_nothing_to_ask(wanted, cells))
    suites = [*real, *(asking for suite in real if (asking := inputs_suite(suite)) is not None)]
    with _locked(out):
        journal = Journal({suite.name: out / f"{suite.name}.jsonl" for suite in suites})
        drawn = draw(responder, suites, wanted.seed, journal, progress)
        by_name = {suite.name: found for suite, found in zip(suites, drawn, strict=True)}
        for suite in real:
            cells[suite.name], _ = cell(suite, by_name[suite.name], by_name.get(f"{suite.name}_inputs", ()))
        settings = {"protocol": wanted.protocol, "seed": wanted.seed, "limit": wanted.limit, **wanted.changes, **about}
        settings |= responder.settings
        column = {"checkpoint": name, "parameters": parameters, "settings": settings, "suites": {}, "benchmarks": cells}
        write_json(out / SCORES, column)
    return Generated(cells, _failures(suites, drawn), _cost(drawn))


def _nothing_to_ask(wanted: Wanted, cells: Mapping[str, Cell]) -> str:
    if all(cells[name]["missing"] == TEXT_ONLY for name in wanted.benchmarks):
        names = ", ".join(wanted.benchmarks)
        return f"a {TEXT_ONLY} reads no pictures, and each item of {names} has one"
    return f"{wanted.root}: the data of no benchmark is there, so there is nothing to ask"


def _failures(suites: Sequence[Suite], drawn: Sequence[Sequence[Drawn]]) -> list[str]:
    return [
        f"{suite.name} {one.asked.id}: {reason}"
        for suite, found in zip(suites, drawn, strict=True)
        for one in found
        for reason in one.failures
    ]


def _cost(drawn: Sequence[Sequence[Drawn]]) -> Cost:
    questions = [one for found in drawn for one in found]
    responses = [response for one in questions for response in one.responses]
    return Cost(
        len(responses),
        sum(one.excluded is not None for one in questions),
        sum(len(one.failures) for one in questions),
        sum(response.prompt_tokens or 0 for response in responses),
        sum(response.tokens or 0 for response in responses),
        sum(response.tokens is None for response in responses),
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One run at a time writes to a folder. DataError when another does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{folder}: another run writes there; wait for its end or choose another folder") from error
        yield
