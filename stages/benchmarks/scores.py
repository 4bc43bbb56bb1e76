"""Judged responses as the numbers and rows that `evaluate` writes."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.benchmarks.answering import Answered
from stages.benchmarks.averages import Judged
from stages.benchmarks.benchmark import Benchmark
from stages.benchmarks.journal import EXCLUDED
from stages.benchmarks.protocol import described
from stages.benchmarks.statistics import accuracy, pass_at_powers
from stages.benchmarks.suites import Suite, modality
from stages.data.files import write_text
from stages.verifiers.verdict import Verdict


def suite_score(answered: Sequence[Answered], samples: int, stand_in: bool) -> dict[str, Any]:
    """Accuracy (0 to 1) over all questions, an excluded one being wrong k times, with 95% interval and standard error.

    Token counts and the shares truncated, unparsed (no answer found) and errors are over the responses drawn."""
    rights = [_rights(one, samples) for one in answered]
    estimate = accuracy(rights)
    responses = [response for one in answered for response in one.drawn.responses]
    verdicts = [verdict for one in answered for verdict in one.verdicts]
    tokens = np.array([response.tokens for response in responses if response.tokens is not None] or [0])
    drawn = max(1, len(responses))
    return {
        "accuracy": estimate.mean,
        "ci95": [estimate.low, estimate.high],
        "stderr": estimate.stderr,
        "pass_at": pass_at_powers(rights),
        "mean_tokens": float(tokens.mean()),
        "p95_tokens": float(np.quantile(tokens, 0.95)),
        "n": len(answered),
        "k": samples,
        "truncated": sum(response.finish == "length" for response in responses) / drawn,
        "unparsed": sum(verdict.extracted is None for verdict in verdicts) / drawn,
        "errors": sum(verdict.outcome == "error" for verdict in verdicts) / drawn,
        "excluded": [
            {"id": one.drawn.asked.id, "reason": one.drawn.excluded} for one in answered if one.drawn.excluded is not None
        ],
        "stand_in": stand_in,
        "modality": modality([one.drawn.asked.image for one in answered]),
    }


def stand_in_scores(suites: Sequence[Suite], answered: Sequence[Sequence[Answered]]) -> dict[str, dict[str, Any]]:
    """The score of every stand-in suite, and of their problems pooled: "overall", "text", "image" (if there are)."""
    mine = [(suite, found) for suite, found in zip(suites, answered, strict=True) if suite.stand_in]
    scores = {suite.name: suite_score(found, suite.samples, True) for suite, found in mine}
    everything = [one for _, found in mine for one in found]
    pools = {
        "overall": everything,
        "text": [one for one in everything if one.drawn.asked.image is None],
        "image": [one for one in everything if one.drawn.asked.image is not None],
    }
    return scores | {name: suite_score(pool, mine[0][0].samples, True) for name, pool in pools.items() if pool}


def benchmark_score(benchmark: Benchmark, suite: Suite, answered: Sequence[Answered]) -> dict[str, Any]:
    """`suite_score`, with the headline averaged as the benchmark's authors do, its extra figures in percent, whether only a
    part was run, and how the score came about."""
    blank = (Verdict("wrong", None, "excluded"),)
    judged = [Judged(item, one.verdicts or blank) for item, one in zip(suite.items, answered, strict=True)]
    average = benchmark.average(judged)
    headline = {
        "accuracy": average.score.mean,
        "ci95": [average.score.low, average.score.high],
        "stderr": average.score.stderr,
        "figures": dict(average.figures),
    }
    part = {"limited": suite.part is not None, "part": suite.part}
    return {**suite_score(answered, suite.samples, False), **headline, **described(benchmark, dict(suite.data)), **part}


def rows(suite: Suite, answered: Sequence[Answered]) -> Iterator[dict[str, Any]]:
    """One row a response, and one for every excluded question."""
    for one in answered:
        asked, first = one.drawn.asked, one.drawn.slots[0]
        shared = {
            "suite": suite.name,
            "stand_in": suite.stand_in,
            "id": asked.id,
            "question": asked.question,
            "image": asked.image,
            "gold": asked.gold,
            "prompt_hash": first.prompt_hash,
            "settings": dict(first.settings),
        }
        if one.drawn.excluded is not None:
            blank = {"text": "", "tokens": 0, "prompt_tokens": None, "outcome": "wrong", "extracted": None}
            yield {**shared, "sample": 0, "seed": first.seed, "finish": EXCLUDED, "reason": one.drawn.excluded, **blank}
        for slot, response, verdict in zip(one.drawn.slots, one.drawn.responses, one.verdicts, strict=False):
            yield {
                **shared,
                "sample": slot.sample,
                "seed": slot.seed,
                "finish": response.finish,
                "text": response.text,
                "tokens": response.tokens,
                "prompt_tokens": response.prompt_tokens,
                "outcome": verdict.outcome,
                "extracted": verdict.extracted,
                "reason": verdict.reason,
            }


def write_generations(path: Path, suites: Sequence[Suite], answered: Sequence[Sequence[Answered]]) -> None:
    """All judged responses as JSONL, in the order of suites, questions and samples."""
    lines = [row for suite, found in zip(suites, answered, strict=True) for row in rows(suite, found)]
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


def _rights(one: Answered, samples: int) -> list[bool]:
    return [verdict.outcome == "right" for verdict in one.verdicts] or [False] * samples
