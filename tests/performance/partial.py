"""Partial rollouts: the rollout half of an RL iteration (Experience.collect) with a token budget a response and iteration, against
whole responses, in the same number of rows; and the same with a limit of the response that is eight times as large.

The engine is the embedded one, the lengths are scripted: no token of the untrained model ends a response; each response gets a
length from a log-normal distribution (drawn from its own seed) as the limit of its requests, and counts as stopped there. So both
sides draw from the same long-tailed mix, and what is measured is real: prompts, the recomputed prefixes of continued responses,
decoding, verifying, the buffer. Iterations before the buffer has filled up are not counted. Nothing is forced by staleness: the cap
is out of reach (a response that gets all that is left would make that iteration as long as a whole one). A longer limit also means
more tokens an iteration, as it cuts fewer responses short: `tokens` in the notes. On two cores the rows are few: where the time of
a step grows with its rows, the tail of whole responses costs less beside more rows, and reading the prefixes again under the new
weights costs more. On a GPU, where a step of few rows takes as long as one of many, the sizes are other ones."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from material import HEADS, HIDDEN, INITIALIZER_RANGE, LAYERS, VOCABULARY
from measure import Row, alternate, seconds

from stages.data.records import CuratedProblem
from stages.models.loading import best_device
from stages.models.scratch import TinyShape, build_model, build_processor, train_tokenizer
from stages.policy.experience import Experience
from stages.problems.procedural import TEXT_FAMILIES, generate
from stages.prompts.render import Renderer
from stages.rollout.engine import Piece, Request, Sampling
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.params import RL, Hardware, Rollouts, read

TIMES = 8


@dataclass(frozen=True)
class Mix:
    """What is generated, and by how large a model."""

    prompts: int
    samples: int
    segment: int
    """Tokens a response and iteration; the short limit, too."""
    median: float
    sigma: float
    """Of the lengths' log-normal distribution."""
    context: int
    turn: int
    """Iterations of a turn."""
    limits: tuple[int, ...]
    """Of the curve in the notes: one turn each, partial and whole."""
    shape: TinyShape


ON_CPU = Mix(4, 4, 64, 14.0, 1.3, 1152, 6, (64, 128, 256, 512, 1024), TinyShape(HIDDEN, LAYERS, HEADS, 1152, INITIALIZER_RANGE))
ON_GPU = Mix(16, 8, 128, 28.0, 1.3, 2048, 2, (128, 256, 512, 1024), TinyShape(1024, 4, 16, 2048, 0.03))
DEVICE = best_device()
MIX = ON_GPU if DEVICE.type == "cuda" else ON_CPU


class Scripted:
    """The embedded engine whose responses end at scripted lengths."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.engine = engine
        self.engine.ends = torch.tensor([], dtype=torch.long)
        self.lengths: dict[tuple[int, ...], int] = {}

    def extend(
        self, requests: Sequence[Request], sampling: Sampling, ended: Callable[[int, Piece], None] | None = None
    ) -> list[Piece]:
        wanted = [self.lengths.pop(request.start) if request.start else drawn(request.seed) for request in requests]
        bounded = [
            replace(request, limit=min(request.limit, length - len(request.start)))
            for request, length in zip(requests, wanted, strict=True)
        ]
        pieces = self.engine.extend(bounded, sampling, ended)
        for request, piece, length in zip(requests, pieces, wanted, strict=True):
            if piece.finish == "cut":
                self.lengths[*request.start, *piece.token_ids] = length
        return [replace(piece, finish="stop") if piece.finish == "length" else piece for piece in pieces]

    def decode(self, token_ids: Sequence[int]) -> str:
        return self.engine.decode(token_ids)


def drawn(seed: int) -> int:
    """The length of the response with this seed."""
    normal = float(torch.randn((), generator=torch.Generator().manual_seed(seed)))
    return max(1, round(MIX.median * math.exp(MIX.sigma * normal)))


class Side:
    """Iterations with one budget and one limit; `tokens_per_second` and `seconds` of a turn of them."""

    def __init__(self, problems: list[CuratedProblem], found: TransformersEngine, limit: int, segment: int | None) -> None:
        rl = read("rl.long", RL).model_copy(update={"prompts": MIX.prompts, "samples": MIX.samples, "max_tokens": limit})
        rollouts = Rollouts(segment_tokens=segment, max_staleness=10**6, mask_stale=False, repeat_penalty=0.0, repetition=None)
        hardware = read("hardware", Hardware).model_copy(update={"device": DEVICE.type, "processes": 1})
        engine: Any = Scripted(found)
        self.problems, self.iteration, self.figures = problems, 0, list[dict[str, float]]()
        self.experience = Experience(engine, found.renderer, rl, rollouts, hardware, seed=0)
        for _ in range(0 if segment is None else limit // segment):
            self.iterate()
        self.figures.clear()

    def iterate(self) -> int:
        """One iteration of rollout; the tokens drawn."""
        room = self.experience.room
        first = self.iteration * MIX.prompts
        fresh = [self.problems[(first + place) % len(self.problems)] for place in range(room)]
        _, figures, tokens = self.experience.collect(self.iteration, fresh)
        self.figures.append({**figures, "tokens": tokens, "fresh": room})
        self.iteration += 1
        return tokens

    def tokens_per_second(self, _: int) -> float:
        tokens: list[int] = []
        taken = seconds(lambda: tokens.extend(self.iterate() for _ in range(MIX.turn)))
        return sum(tokens) / taken

    def seconds(self, _: int) -> float:
        return seconds(lambda: [self.iterate() for _ in range(MIX.turn)]) / MIX.turn

    def mean(self, name: str) -> float:
        return round(statistics.mean(row[name] for row in self.figures), 2)


def run(repeats: int) -> list[Row]:
    """A row for tokens a second, one for seconds an iteration at a limit eight times as large."""
    problems, found = untrained()
    most = MIX.segment * TIMES
    sizes = {
        "hidden": MIX.shape.hidden, "layers": MIX.shape.layers, "rows": MIX.prompts * MIX.samples, "segment_tokens": MIX.segment,
        "limit": most, "median_length": MIX.median, "sigma": MIX.sigma,
    }  # fmt: skip
    partial, whole = (Side(problems, found, most, segment) for segment in (MIX.segment, None))
    a, b = alternate(partial.tokens_per_second, whole.tokens_per_second, repeats)
    notes = {
        name: {"partial": partial.mean(name), "whole": whole.mean(name)}
        for name in ("tokens", "fresh", "buffer/responses", "buffer/tokens", "staleness/forced")
    }
    rows = [Row("rollout (partial)", "tokens/s", a, b, "whole responses", 1.5, sizes, notes=notes)]
    long, short = (Side(problems, found, limit, MIX.segment) for limit in (most, MIX.segment))
    a, b = alternate(long.seconds, short.seconds, repeats)
    both = {"limit": {"ours": most, "other": MIX.segment}}
    names = ("tokens", "fresh", "buffer/responses", "buffer/tokens")
    notes = {name: {"long": long.mean(name), "short": short.mean(name)} for name in names}
    for name, segment in (("partial", MIX.segment), ("whole", None)):
        notes[f"seconds_by_limit ({name})"] = {
            str(limit): round(Side(problems, found, limit, segment).seconds(0), 4) for limit in MIX.limits
        }
    rows.append(Row("rollout (8 x limit)", "s/iteration", a, b, "an eighth of it", 1 / 1.15, sizes | both, "seconds", notes))
    return rows


def untrained() -> tuple[list[CuratedProblem], TransformersEngine]:
    """Text problems, and the engine around a model that was not trained."""
    problems = [
        CuratedProblem(**problem.model_dump(), pass_rate=0.5)
        for family in TEXT_FAMILIES
        for problem in generate(family, "train", 64, 0, Path())
    ]
    tokenizer = train_tokenizer([f"{p.question}\n{p.solution_long}" for p in problems], VOCABULARY)
    net = build_model(tokenizer, MIX.shape, seed=0).to(DEVICE, torch.bfloat16 if DEVICE.type == "cuda" else torch.float32)
    renderer = Renderer(build_processor(tokenizer, 256 * MIX.context), "Answer in \\boxed{}.", MIX.context)
    return problems, TransformersEngine(net, renderer, MIX.prompts * MIX.samples)
