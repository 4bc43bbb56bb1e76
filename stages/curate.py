"""Stage curate (§2.1): from collected problems to the RL prompt set: diverse, of known difficulty, hard to hack, verifiable.

Writes OUT/problems.jsonl, OUT/excluded.jsonl, REPORT/funnel.json, REPORT/validation.json. A set that fails its expectations is not
handed over. What the model answered before a run was killed is not asked again; several ranks share the asking."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from stages.benchmarks import questions
from stages.curation import coverage, difficulty, evaluability, guessing, lengths, tagging
from stages.curation.funnel import Funnel
from stages.curation.measure import Measure
from stages.curation.rules import readable, without_model
from stages.data import expectations, profiles
from stages.data.files import DataError, read_records, write_json, write_records
from stages.data.records import CuratedProblem, Problem
from stages.data.suites import prompt_set_suite
from stages.rollout.asking import judge_of
from stages.rollout.chunks import Chunks, all_have_read
from stages.run.params import Curate, Hardware, Model, read
from stages.run.program import run
from stages.run.ranks import rank
from stages.run.sections import Judging, deciding
from stages.run.spool import stage_spool
from stages.run.state import state_folder

TOO_LONG = "too long"


def main() -> None:
    parser = argparse.ArgumentParser(description="Curate the prompt set")
    parser.add_argument("--problems", type=Path, required=True, help="folder that collect wrote")
    parser.add_argument("--model", type=Path, required=True, help="the short-CoT model that difficulty is measured with")
    parser.add_argument("--out", type=Path, required=True, help="folder of the prompt set")
    parser.add_argument("--report", type=Path, required=True, help="folder of the funnel and the validation")
    parser.add_argument("--docs", type=Path, required=True, help="folder of the Data Docs")
    args = parser.parse_args()
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    rules, benchmarks = read("curate", Curate), Path(read("evaluate.root", str))
    if rank() == 0:
        (args.out / "problems.jsonl").unlink(missing_ok=True)

    from stages.rollout.opening import load_engine

    collected = read_records(args.problems / "train.jsonl", Problem)
    held_out = [row for split in ("validation", "heldout") for row in read_records(args.problems / f"{split}.jsonl", Problem)]
    engine = load_engine(args.model, model, hardware)
    tokens_of = lengths.prompt_tokens(args.model, model)
    judging = read("judge", Judging)
    judge = judge_of(judging, hardware.generation_batch)
    values = [seed, *(part.model_dump() for part in (rules, judging, model)), deciding(hardware), str(benchmarks)]
    chunks = Chunks(state_folder("curate", [args.problems, args.model], values), stage_spool("curate").progress)
    measure = Measure(engine, seed, rules.temperature, model.context, hardware.workers, chunks, judge)
    funnel, collected = readable(collected, args.model)
    problems, funnel = curate(collected, held_out, benchmarks, tokens_of, measure, rules, funnel)
    all_have_read()
    if rank() == 0:
        print(funnel.text())
        hand_over(problems, funnel, len(collected), rules, measure, args.report, args.docs)
        write_records(args.out / "excluded.jsonl", funnel.findings)
        write_json(args.report / "funnel.json", funnel.content())
        write_records(args.out / "problems.jsonl", problems)
        chunks.drop()


def curate(
    collected: Sequence[Problem],
    held_out: Sequence[Problem],
    benchmarks: Path,
    tokens_of: Callable[[Sequence[Problem]], list[int]],
    measure: Measure,
    rules: Curate,
    funnel: Funnel,
) -> tuple[list[CuratedProblem], Funnel]:
    """All rules in order, the cheap ones first, so that the model answers only what is left."""
    collected, tags = tagging.tagged(collected, measure.asked("tag"))
    if tags:
        funnel.detail["tagging"] = tags
    texts, unread = questions.read_texts(benchmarks)
    compared = questions.summary(benchmarks, len(texts), unread)
    kept = without_model(funnel, collected, held_out, texts, compared, measure.workers, measure.judge is not None)
    kept = funnel.remove(TOO_LONG, kept, lengths.too_long(kept, tokens_of, measure.context))

    probed = guessing.probed(kept, rules.guess_probe, measure.stream("probe"))
    right = guessing.right_guesses(measure, probed, rules.guesses)
    before = kept
    kept = funnel.remove("guessed without reasoning", kept, guessing.exclusions(kept, right, rules.guesses))

    rates = difficulty.pass_rates(measure, kept, rules.samples, rules.max_tokens)
    funnel.detail["difficulty"] = difficulty.by_family(kept, rates)
    trivial = difficulty.trivial(rates, rules.trivial_pass_rate, rules.keep_trivial, measure.stream("trivial"))
    kept = funnel.remove("trivial", kept, trivial)
    if rules.weights:
        over = coverage.over_weight(kept, rules.weights, measure.stream("weights"))
        kept = funnel.remove("over its domain's weight", kept, over)

    funnel.detail["mix"] = coverage.mix(collected, kept)
    funnel.detail["balance"] = coverage.balances(collected, kept)
    funnel.detail["guessing"] = guessing.by_family(before, right, rules.guesses)
    funnel.detail["pass_rates"] = difficulty.histogram(rates)
    return [CuratedProblem(**problem.model_dump(), pass_rate=rates[problem.id]) for problem in kept], funnel


def hand_over(
    problems: Sequence[CuratedProblem], funnel: Funnel, collected: int, rules: Curate, measure: Measure, report: Path, docs: Path
) -> None:
    """Let Great Expectations judge the set. Raises DataError when an expectation fails."""
    if not problems:
        raise DataError(f"nothing is left of {collected} problems:\n{funnel.text()}")
    faults = evaluability.unverifiable(problems, measure.workers, measure.judge is not None)
    table = profiles.prompt_set_table(problems, faults, 1 - len(problems) / collected, funnel.share(TOO_LONG))
    suite = prompt_set_suite(rules.min_rows, rules.max_dropped_share, list(funnel.detail["mix"]["modality"]), rules.limits)
    expectations.check(table, suite, report, docs)


if __name__ == "__main__":
    run(main)
