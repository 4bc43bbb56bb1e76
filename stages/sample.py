"""sample (§2.4): n responses of a model for each prompt; `long` feeds shortest rejection sampling and DPO, `merged` the rejection
sampling of the merged model (figure 7)."""

import argparse
import random
from pathlib import Path

from stages.data.files import DataError, read_records, write_records
from stages.data.records import CuratedProblem, Sample, SampleGroup
from stages.long2short.shortest import demonstrations
from stages.prompts.prompt import Prompt
from stages.rollout.asking import judge_of
from stages.rollout.engine import Completion, Sampling
from stages.rollout.transformers_engine import load_engine
from stages.run.params import Hardware, Model, read
from stages.run.program import run
from stages.run.sections import Draw, Judging
from stages.run.seeds import stream_seed
from stages.run.spool import stage_spool
from stages.verifiers.claims import Claim, Verdict
from stages.verifiers.judge import require_judge
from stages.verifiers.verdict import verify_all

CHUNK = 64  # prompts between two lines of progress


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("which", choices=["long", "merged"])
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--prompt-set", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    options = arguments.parse_args()
    seed, hardware, draw = read("seed", int), read("hardware", Hardware), read("sample", Draw)
    problems = read_records(options.prompt_set, CuratedProblem)
    rng = random.Random(stream_seed(seed, "sample"))
    chosen = rng.sample(problems, min(draw.prompts, len(problems)))
    judge = judge_of(read("judge", Judging), hardware.generation_batch)
    require_judge((problem.verifier for problem in chosen), judge)
    engine = load_engine(options.model, read("model", Model), hardware)
    spool = stage_spool(f"sample@{options.which}")
    groups = []
    for start in range(0, len(chosen), CHUNK):
        part = chosen[start : start + CHUNK]
        sampling = Sampling(draw.temperature, 1.0, draw.max_tokens, stream_seed(seed, "sample", start))
        completions = engine.generate([Prompt.of(problem) for problem in part], sampling, draw.samples)
        claims = [
            Claim(problem.verifier, problem.answer, completion.text, problem.question)
            for problem, group in zip(part, completions, strict=True)
            for completion in group
        ]
        verdicts = iter(verify_all(claims, hardware.workers, judge=judge))
        for problem, group in zip(part, completions, strict=True):
            groups.append(SampleGroup(problem=problem, samples=[judged(problem, c, next(verdicts)) for c in group]))
        spool.progress(start + len(part), len(chosen), "prompts")
    shortest = demonstrations(groups, draw.min_length_ratio)
    if not shortest:
        raise DataError(
            f"{options.model}: {len(groups)} prompts, {draw.samples} samples each, and none whose right samples are on average "
            f"sample.min_length_ratio = {draw.min_length_ratio} times as long as the shortest: long2short has nothing to learn; "
            "lower the ratio (1.0 takes every problem that was solved) or sample more"
        )
    write_records(options.out / "groups.jsonl", groups)
    write_records(options.out / "shortest.jsonl", shortest)
    print(f"{len(groups)} prompts x {draw.samples} samples; {len(shortest)} have a right one that saves tokens")


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


if __name__ == "__main__":
    run(main)
