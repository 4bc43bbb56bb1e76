"""Long demonstrations that the verifier found right (§2.2): the work of the stage warm_up."""

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from stages.data import expectations, profiles
from stages.data.files import DataError, read_records, write_json, write_records
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
from stages.run.ranks import rank
from stages.run.sections import Judging, deciding
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.verifiers.judge import require_judge
from stages.verifiers.verdict import Verdict


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
