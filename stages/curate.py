"""Stage curate (§2.1): from collected problems to the RL prompt set - diverse, of known difficulty, hard to hack,
verifiable.

Writes OUT/problems.jsonl and OUT/excluded.jsonl, REPORT/funnel.json and REPORT/validation.json. A set that fails its
expectations is not handed over."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from stages.curation import benchmark_texts, coverage, decontamination, difficulty, evaluability, guessing, lengths
from stages.curation.funnel import Funnel
from stages.curation.measure import Measure
from stages.data import expectations, profiles
from stages.data.files import DataError, read_records, write_json, write_records
from stages.data.records import CuratedProblem, Problem
from stages.prompts.prompt import Prompt
from stages.rollout.asking import judge_of
from stages.run.params import Curate, Hardware, Model, read
from stages.run.program import run
from stages.run.sections import Judging
from stages.run.spool import stage_spool


def main() -> None:
    parser = argparse.ArgumentParser(description="Curate the prompt set")
    parser.add_argument("--problems", type=Path, required=True, help="folder that collect wrote")
    parser.add_argument("--model", type=Path, required=True, help="the short-CoT model that difficulty is measured with")
    parser.add_argument("--out", type=Path, required=True, help="folder of the prompt set")
    parser.add_argument("--report", type=Path, required=True, help="folder of the funnel and the validation")
    args = parser.parse_args()
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    rules, benchmarks = read("curate", Curate), Path(read("evaluate.root", str))
    (args.out / "problems.jsonl").unlink(missing_ok=True)

    from stages.rollout.transformers_engine import load_engine

    collected = read_records(args.problems / "train.jsonl", Problem)
    held_out = [row for split in ("validation", "heldout") for row in read_records(args.problems / f"{split}.jsonl", Problem)]
    engine = load_engine(args.model, model, hardware)
    tokens_of = prompt_tokens(args.model, model)
    judge = judge_of(read("judge", Judging), hardware.generation_batch)
    measure = Measure(engine, seed, rules.temperature, model.context, hardware.workers, stage_spool("curate").progress, judge)
    problems, funnel = curate(collected, held_out, benchmarks, tokens_of, measure, rules)
    print(funnel.text())
    hand_over(problems, funnel, len(collected), rules, measure, args.report)
    write_records(args.out / "excluded.jsonl", funnel.findings)
    write_json(args.report / "funnel.json", funnel.content())
    write_records(args.out / "problems.jsonl", problems)


def curate(
    collected: Sequence[Problem],
    held_out: Sequence[Problem],
    benchmarks: Path,
    tokens_of: Callable[[Sequence[Problem]], list[int]],
    measure: Measure,
    rules: Curate,
) -> tuple[list[CuratedProblem], Funnel]:
    """All rules in order, the cheap ones first, so that the model answers only what is left."""
    funnel = Funnel()
    kept = funnel.remove("licence forbids training", collected, evaluability.forbidden_sets(collected))
    kept = funnel.remove("hard exclusions", kept, evaluability.exclusions(kept))
    kept = funnel.remove("unverifiable answer", kept, evaluability.unverifiable(kept, measure.workers, measure.judge is not None))
    kept = funnel.remove("in our held-out sets", kept, decontamination.against_held_out(kept, held_out))
    texts, unread = benchmark_texts.read_texts(benchmarks)
    kept = funnel.remove("in a benchmark", kept, decontamination.against_benchmarks(kept, texts))

    kept = funnel.remove("too long", kept, lengths.too_long(kept, tokens_of, measure.context))

    probed = guessing.probed(kept, rules.guess_probe, measure.stream("probe"))
    right = guessing.right_guesses(measure, probed, rules.guesses)
    before = kept
    kept = funnel.remove("guessed without reasoning", kept, guessing.exclusions(right, rules.guesses))

    rates = difficulty.pass_rates(measure, kept, rules.samples)
    trivial = difficulty.trivial(rates, rules.trivial_pass_rate, rules.keep_trivial, measure.stream("trivial"))
    kept = funnel.remove("trivial", kept, trivial)

    funnel.detail["mix"] = coverage.mix(collected, kept)
    funnel.detail["balance"] = coverage.balances(collected, kept)
    funnel.detail["decontamination"] = benchmark_texts.summary(benchmarks, len(texts), unread)
    funnel.detail["guessing"] = guessing.by_family(before, right, rules.guesses)
    funnel.detail["pass_rates"] = difficulty.histogram(rates)
    return [CuratedProblem(**problem.model_dump(), pass_rate=rates[problem.id]) for problem in kept], funnel


def prompt_tokens(checkpoint: Path, model: Model) -> Callable[[Sequence[Problem]], list[int]]:
    """Counts the tokens of problems' prompts as the model reads them, a few at a time (pictures take memory)."""
    from stages.models.loading import load_processor
    from stages.prompts.render import Renderer

    renderer = Renderer(load_processor(checkpoint), model.instruction, context=sys.maxsize)

    def tokens_of(problems: Sequence[Problem]) -> list[int]:
        prompts = [Prompt.of(problem) for problem in problems]
        groups = [prompts[start : start + 64] for start in range(0, len(prompts), 64)]
        return [len(rendered.token_ids) for group in groups for rendered in renderer.render(group)]

    return tokens_of


def hand_over(
    problems: Sequence[CuratedProblem], funnel: Funnel, collected: int, rules: Curate, measure: Measure, report: Path
) -> None:
    """Let Great Expectations judge the set. Raises DataError when an expectation fails."""
    if not problems:
        raise DataError(f"nothing is left of {collected} problems:\n{funnel.text()}")
    faults = evaluability.unverifiable(problems, measure.workers, measure.judge is not None)
    table = profiles.prompt_set_table(problems, faults, 1 - len(problems) / collected)
    modalities = list(funnel.detail["mix"]["modality"])
    expectations.check(table, expectations.prompt_set_suite(rules.min_rows, rules.max_dropped_share, modalities), report)


if __name__ == "__main__":
    run(main)
