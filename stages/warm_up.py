"""Stage warm_up (§2.2): long demonstrations with planning, evaluation, reflection and exploration, kept only when
right.

Writes OUT/demonstrations.jsonl, REPORT/funnel.json and REPORT/validation.json. A set that fails its expectations is
not handed over."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.data import expectations, profiles
from stages.data.files import DataError, read_records, write_json, write_records
from stages.data.records import CuratedProblem, Demonstration
from stages.data.suites import demonstration_suite
from stages.problems import teachers
from stages.problems.demonstration_set import balanced, overlap_summary, report, shares, step
from stages.problems.teaching import demonstrations, without_repeats
from stages.rollout.asking import judge_of, responder_of
from stages.run.optional import WarmUp
from stages.run.params import read
from stages.run.program import run
from stages.run.sections import Judging
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.verifiers.judge import require_judge
from stages.verifiers.verdict import Answer, Claim, Verdict, verify_all

SECONDS = 1800.0
"""Limit of one answer of a teacher behind an address."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the verified long-CoT demonstrations")
    parser.add_argument("--prompt-set", type=Path, required=True, help="folder that curate wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the demonstrations")
    parser.add_argument("--report", type=Path, required=True, help="folder of the funnel and the validation")
    parser.add_argument("--docs", type=Path, required=True, help="folder of Great Expectations' Data Docs")
    args = parser.parse_args()
    seed, warm_up, judging = read("seed", int), read("warm_up", WarmUp), read("judge", Judging)
    workers, batch = read("hardware.workers", int), read("hardware.generation_batch", int)
    judge = judge_of(judging, batch)
    (args.out / "demonstrations.jsonl").unlink(missing_ok=True)

    problems = read_records(args.prompt_set / "problems.jsonl", CuratedProblem)
    require_judge((problem.verifier for problem in problems), judge)
    tried, asked = taught(problems, warm_up, seed, batch)
    distinct = without_repeats(tried)
    verdicts = verdicts_on(problems, distinct, workers, judge)
    kept = [row for row, verdict in zip(distinct, verdicts, strict=True) if verdict.outcome == "right"]

    right, kept = kept, balanced(kept, warm_up.teacher.per_prompt) if warm_up.teacher else kept
    funnel = report(problems, tried, distinct, verdicts, right, kept)
    if warm_up.teacher:
        funnel |= of_teacher(funnel["steps"], right, kept, asked)
    print(f"{len(kept)} demonstrations kept of {len(tried)} tried: {funnel['verdicts']}")
    hand_over(problems, kept, warm_up, verdicts_on(problems, kept, workers, judge), args.report, args.docs)
    write_json(args.report / "funnel.json", funnel)
    write_records(args.out / "demonstrations.jsonl", kept)


def taught(
    problems: Sequence[CuratedProblem], warm_up: WarmUp, seed: int, batch: int
) -> tuple[list[Demonstration], dict[str, int]]:
    """What the teacher of params.yaml writes, and how often it was asked: by default the solvers and published solutions."""
    teacher = warm_up.teacher
    if teacher is None:
        return [row for problem in problems for row in demonstrations(problem, warm_up, seed)], {}
    if teacher.file is not None:
        return teachers.from_file(Path(teacher.file), problems), {}
    responder = responder_of(str(teacher.model), teacher.endpoint, batch, SECONDS)
    settings = teacher.model_dump(exclude={"per_prompt", "endpoint"})
    journal = state_folder("warm_up", [], [seed, settings]) / "taught.jsonl"
    return teachers.ask(problems, teacher, responder, warm_up.tries, seed, journal, stage_spool("warm_up").progress)


def of_teacher(
    steps: Sequence[dict[str, Any]], right: Sequence[Demonstration], kept: Sequence[Demonstration], asked: dict[str, int]
) -> dict[str, Any]:
    """What funnel.json holds beside the usual where a teacher was asked: the balance of behaviours, and repetition."""
    return {
        "steps": [*steps, step("behaviours in balance", len(right), len(kept), [])],
        "teacher": asked,
        "behaviour_shares": {"right": shares(right), "kept": shares(kept)},
        "overlap": overlap_summary(kept),
    }


def verdicts_on(
    problems: Sequence[CuratedProblem], rows: Sequence[Demonstration], workers: int, judge: Answer | None
) -> list[Verdict]:
    """How the verifier judges each demonstration (rejection sampling keeps the right ones)."""
    by_id = {problem.id: problem for problem in problems}
    claims = [Claim(row.verifier, by_id[row.problem_id].answer, row.response, row.question) for row in rows]
    return verify_all(claims, workers, judge=judge)


def hand_over(
    problems: Sequence[CuratedProblem],
    kept: Sequence[Demonstration],
    rules: WarmUp,
    verdicts: Sequence[Verdict],
    folder: Path,
    docs: Path,
) -> None:
    """Let Great Expectations judge the set, `verdicts` being another look at it. Raises DataError when an expectation fails."""
    if not kept:
        raise DataError(f"no demonstration of {len(problems)} prompts is right; add problems with worked solutions")
    table = profiles.demonstration_table(
        kept, [verdict.outcome for verdict in verdicts], frozenset(problem.id for problem in problems)
    )
    modalities = sorted({problem.modality for problem in problems})
    expectations.check(table, demonstration_suite(rules.min_rows, modalities, rules.limits), folder, docs)


if __name__ == "__main__":
    run(main)
