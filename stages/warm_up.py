"""Stage warm_up (§2.2): long demonstrations with planning, evaluation, reflection and exploration, kept only when
right.

Writes OUT/demonstrations.jsonl, REPORT/funnel.json and REPORT/validation.json. A set that fails its expectations is
not handed over. Problems without a worked solution are solved by the model itself, on all ranks; a killed run goes on."""

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from stages.data import expectations, profiles
from stages.data.files import DataError, read_records, write_json, write_records, write_text
from stages.data.records import CuratedProblem, Demonstration
from stages.data.suites import demonstration_suite
from stages.problems import teachers
from stages.problems.demonstration_set import balanced, of_teacher, report
from stages.problems.self_taught import Drawn, advice, chosen, self_taught, unsolved
from stages.problems.teaching import verdicts_on, without_repeats
from stages.rollout.asking import judge_of
from stages.rollout.chunks import Chunks, all_have_read
from stages.rollout.engine import Engine
from stages.rollout.responder import EngineResponder
from stages.run.optional import WarmUp
from stages.run.params import Hardware, Model, read
from stages.run.phases import idle
from stages.run.program import run
from stages.run.ranks import rank
from stages.run.sections import Judging, deciding
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.verifiers.judge import require_judge
from stages.verifiers.verdict import Verdict


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the verified long-CoT demonstrations")
    parser.add_argument("--prompt-set", type=Path, required=True, help="folder that curate wrote")
    parser.add_argument("--model", type=Path, required=True, help="checkpoint that solves what nobody has solved")
    parser.add_argument("--needed", type=Path, help="whether a phase learns from them (stage phases); without it: yes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the demonstrations")
    parser.add_argument("--report", type=Path, required=True, help="folder of the funnel and the validation")
    parser.add_argument("--docs", type=Path, required=True, help="folder of Great Expectations' Data Docs")
    args = parser.parse_args()
    reason = idle(args.needed)
    if reason is None:
        warm_up(args)
    elif rank() == 0:
        (args.report / "validation.json").unlink(missing_ok=True)
        write_records(args.out / "demonstrations.jsonl", [])
        write_json(args.report / "funnel.json", {"steps": []})
        write_text(
            args.docs / "index.html", f"<!doctype html><title>No demonstrations</title><p>No demonstrations: {reason}.</p>\n"
        )
        print(f"no demonstrations: {reason}")


def warm_up(args: argparse.Namespace) -> None:
    """Have demonstrations written, keep the right ones, and hand them over."""
    seed, rules, judging = read("seed", int), read("warm_up", WarmUp), read("judge", Judging)
    hardware, model = read("hardware", Hardware), read("model", Model)
    judge = judge_of(judging, hardware.generation_batch)
    problems = read_records(args.prompt_set / "problems.jsonl", CuratedProblem)
    require_judge((problem.verifier for problem in problems), judge)

    waiting = unsolved(problems) if rules.teacher is None and rules.self_taught else []
    values = [seed, rules.tries, rules.self_taught and rules.self_taught.model_dump(), model.model_dump(), deciding(hardware)]
    inputs = [args.prompt_set / "problems.jsonl", args.model] if waiting else []
    chunks = Chunks(state_folder("warm_up", inputs, values), stage_spool("warm_up").progress)
    drawn = Drawn([], {})
    if waiting and rules.self_taught:
        asked = EngineResponder(cache(lambda: _engine(args.model, model, hardware)), hardware.generation_batch, {})
        drawn = self_taught(waiting, rules.self_taught, asked, rules.tries, seed, model.context, chunks)
        all_have_read()
    if rank() == 0:
        judged(problems, rules, drawn, lambda rows: verdicts_on(problems, rows, hardware.workers, judge), args)
        chunks.drop()


def judged(
    problems: Sequence[CuratedProblem],
    rules: WarmUp,
    drawn: Drawn,
    verdicts_of: Callable[[Sequence[Demonstration]], list[Verdict]],
    args: argparse.Namespace,
) -> None:
    """Keep what is right of all that was written, and hand it over. DataError when it is too little, or fails an expectation."""
    (args.out / "demonstrations.jsonl").unlink(missing_ok=True)
    rows, asked = teachers.taught(problems, rules, read("seed", int), read("hardware", Hardware).generation_batch)
    tried = [*rows, *drawn.rows]
    distinct = without_repeats(tried)
    verdicts = verdicts_of(distinct)
    right = [row for row, verdict in zip(distinct, verdicts, strict=True) if verdict.outcome == "right"]
    kept = balanced(right, rules.teacher.per_prompt) if rules.teacher else chosen(right, drawn, rules.self_taught)
    funnel = report(problems, tried, distinct, verdicts, right, kept)
    if rules.teacher or drawn.counts:
        funnel |= of_teacher(funnel["steps"], right, kept, asked or drawn.counts)
    print(f"{len(kept)} demonstrations kept of {len(tried)} tried: {funnel['verdicts']}")
    if not kept or (drawn.counts and len(kept) < rules.min_rows):
        raise DataError(advice(len(problems), (len(tried), len(right), len(kept)), rules.min_rows, drawn.counts))
    table = profiles.demonstration_table(
        kept, [one.outcome for one in verdicts_of(kept)], frozenset(problem.id for problem in problems)
    )
    modalities = sorted({problem.modality for problem in problems})
    expectations.check(table, demonstration_suite(rules.min_rows, modalities, rules.limits), args.report, args.docs)
    write_json(args.report / "funnel.json", funnel)
    write_records(args.out / "demonstrations.jsonl", kept)


def _engine(folder: Path, model: Model, hardware: Hardware) -> Engine:
    from stages.rollout.opening import load_engine

    return load_engine(folder, model, hardware)


if __name__ == "__main__":
    run(main)
