"""Responses of a model to many prompts, with their verdicts (§2.4): the work of the stage sample."""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.data.files import DataError, read_records, write_records
from stages.data.records import CuratedProblem, Sample, SampleGroup
from stages.long2short.shortest import demonstrations
from stages.prompts.prompt import Prompt
from stages.rollout.asking import judge_of
from stages.rollout.chunks import Chunks, all_have_read
from stages.rollout.engine import Completion, Sampling
from stages.rollout.opening import load_engine
from stages.run.params import Hardware, Model, read
from stages.run.ranks import rank
from stages.run.sections import Draw, Judging, deciding
from stages.run.seeds import stream_seed
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.verifiers.claims import Claim, Verdict
from stages.verifiers.judge import require_judge
from stages.verifiers.verdict import verify_all

CHUNK = 64  # prompts that are drawn and kept together


def sample(options: argparse.Namespace) -> None:
    """Draw the responses of the command line's model, judge them, and hand them over."""
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    drawing, judging = read("sample", Draw), read("judge", Judging)
    problems = read_records(options.prompt_set, CuratedProblem)
    rng = random.Random(stream_seed(seed, "sample"))
    chosen = rng.sample(problems, min(drawing.prompts, len(problems)))
    judge = judge_of(judging, hardware.generation_batch)
    require_judge((problem.verifier for problem in chosen), judge)
    engine = load_engine(options.model, model, hardware)

    def draw(start: int, some: Sequence[CuratedProblem]) -> list[Any]:
        sampling = Sampling(drawing.temperature, 1.0, drawing.max_tokens, stream_seed(seed, "sample", start))
        completions = engine.generate([Prompt.of(problem) for problem in some], sampling, drawing.samples)
        claims = [
            Claim(problem.verifier, problem.answer, completion.text, problem.question)
            for problem, group in zip(some, completions, strict=True)
            for completion in group
        ]
        verdicts = iter(verify_all(claims, hardware.workers, judge=judge))
        return [
            SampleGroup(problem=problem, samples=[judged(problem, c, next(verdicts)) for c in group]).model_dump(mode="json")
            for problem, group in zip(some, completions, strict=True)
        ]

    values = [seed, *(part.model_dump() for part in (drawing, judging, model)), deciding(hardware)]
    state = state_folder(f"sample-{options.which}", [options.model, options.prompt_set], values)
    chunks = Chunks(state, stage_spool(f"sample@{options.which}").progress)
    groups = [SampleGroup.model_validate(row) for row in chunks.rows("groups", chosen, CHUNK, "prompts", draw)]
    all_have_read()
    if rank() == 0:
        hand_over(groups, drawing, options.model, options.out)
        chunks.drop()


def hand_over(groups: Sequence[SampleGroup], drawing: Draw, model: Path, out: Path) -> None:
    """Write all groups, and the shortest right samples. DataError when there is none to learn from."""
    shortest = demonstrations(groups, drawing.min_length_ratio)
    if not shortest:
        raise DataError(
            f"{model}: {len(groups)} prompts, {drawing.samples} samples each, and none whose right samples are on average "
            f"sample.min_length_ratio = {drawing.min_length_ratio} times as long as the shortest: long2short has nothing to learn; "
            "lower the ratio (1.0 takes every problem that was solved) or sample more"
        )
    write_records(out / "groups.jsonl", groups)
    write_records(out / "shortest.jsonl", shortest)
    print(f"{len(groups)} prompts x {drawing.samples} samples; {len(shortest)} have a right one that saves tokens")


def judged(problem: CuratedProblem, completion: Completion, verdict: Verdict) -> Sample:
    """A response with its verdict, as the next stages read it."""
    return Sample(
        problem_id=problem.id,
        text=completion.text,
        token_ids=list(completion.token_ids),
        logprobs=list(completion.logprobs),
        finish=completion.finish,
        outcome=verdict.outcome,
        reason=verdict.reason,
    )
