"""Stage warm_up (§2.2): long demonstrations with planning, evaluation, reflection and exploration, kept only when
right.

Writes OUT/demonstrations.jsonl, REPORT/funnel.json and REPORT/validation.json. A set that fails its expectations is
not handed over."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.data import expectations, profiles
from stages.data.files import DataError, read_records, write_json, write_records
from stages.data.records import CuratedProblem, Demonstration
from stages.problems.behaviours import PHRASES
from stages.problems.teaching import demonstrations, without_repeats
from stages.rollout.asking import judge_of
from stages.run.params import WarmUp, read
from stages.run.program import run
from stages.run.sections import Judging
from stages.verifiers.judge import require_judge
from stages.verifiers.verdict import Answer, Claim, Verdict, verify_all


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the verified long-CoT demonstrations")
    parser.add_argument("--prompt-set", type=Path, required=True, help="folder that curate wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the demonstrations")
    parser.add_argument("--report", type=Path, required=True, help="folder of the funnel and the validation")
    args = parser.parse_args()
    seed, warm_up, judging = read("seed", int), read("warm_up", WarmUp), read("judge", Judging)
    workers, judge = read("hardware.workers", int), judge_of(judging, read("hardware.generation_batch", int))
    (args.out / "demonstrations.jsonl").unlink(missing_ok=True)

    problems = read_records(args.prompt_set / "problems.jsonl", CuratedProblem)
    require_judge((problem.verifier for problem in problems), judge)
    tried = [demonstration for problem in problems for demonstration in demonstrations(problem, warm_up, seed)]
    distinct = without_repeats(tried)
    verdicts = verdicts_on(problems, distinct, workers, judge)
    kept = [row for row, verdict in zip(distinct, verdicts, strict=True) if verdict.outcome == "right"]

    funnel = report(problems, tried, distinct, verdicts, kept)
    print(f"{len(kept)} demonstrations kept of {len(tried)} tried: {funnel['verdicts']}")
    hand_over(problems, kept, warm_up, verdicts_on(problems, kept, workers, judge), args.report)
    write_json(args.report / "funnel.json", funnel)
    write_records(args.out / "demonstrations.jsonl", kept)


def verdicts_on(
    problems: Sequence[CuratedProblem], rows: Sequence[Demonstration], workers: int, judge: Answer | None
) -> list[Verdict]:
    """How the verifier judges each demonstration (rejection sampling keeps the right ones)."""
    by_id = {problem.id: problem for problem in problems}
    claims = [Claim(row.verifier, by_id[row.problem_id].answer, row.response, row.question) for row in rows]
    return verify_all(claims, workers, judge=judge)


def report(
    problems: Sequence[CuratedProblem],
    tried: Sequence[Demonstration],
    distinct: Sequence[Demonstration],
    verdicts: Sequence[Verdict],
    kept: Sequence[Demonstration],
) -> dict[str, Any]:
    """Content of funnel.json: the steps, verdicts, behaviours and lengths (in characters; tokens depend on the
    model)."""
    answered = {row.problem_id for row in kept}
    wrong = [(row, verdict) for row, verdict in zip(distinct, verdicts, strict=True) if verdict.outcome != "right"]
    return {
        "steps": [
            step("repeated response", len(tried), len(distinct), []),
            step("not right", len(distinct), len(kept), [{"id": row.id, "reason": v.reason} for row, v in wrong[:5]]),
        ],
        "prompts": {
            "all": len(problems),
            "without_teacher": len({row.id for row in problems} - {row.problem_id for row in tried}),
            "with_demonstration": len(answered),
        },
        "verdicts": dict(Counter(verdict.outcome for verdict in verdicts)),
        "families": dict(Counter(row.family for row in kept)),
        "modalities": dict(Counter("image" if row.image else "text" for row in kept)),
        "behaviours": {
            name: {
                "total": sum(row.behaviours.get(name, 0) for row in kept),
                "demonstrations": sum(row.behaviours.get(name, 0) > 0 for row in kept),
            }
            for name in PHRASES
        },
        "characters": quantiles(sorted(len(row.response) for row in kept)),
    }


def quantiles(lengths: Sequence[int]) -> dict[str, int]:
    """Quantiles of sorted lengths, by name; none of an empty list."""
    shares = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
    return {name: lengths[min(len(lengths) - 1, int(share * len(lengths)))] for name, share in shares.items() if lengths}


def step(rule: str, before: int, after: int, examples: list[dict[str, str]]) -> dict[str, Any]:
    """One step of the funnel, in the form of curate's."""
    return {"rule": rule, "before": before, "removed": before - after, "after": after, "examples": examples}


def hand_over(
    problems: Sequence[CuratedProblem], kept: Sequence[Demonstration], rules: WarmUp, verdicts: Sequence[Verdict], folder: Path
) -> None:
    """Let Great Expectations judge the set, `verdicts` being another look at it. Raises DataError when an expectation fails."""
    if not kept:
        raise DataError(f"no demonstration of {len(problems)} prompts is right; add problems with worked solutions")
    table = profiles.demonstration_table(
        kept, [verdict.outcome for verdict in verdicts], frozenset(problem.id for problem in problems)
    )
    modalities = sorted({problem.modality for problem in problems})
    expectations.check(table, expectations.demonstration_suite(rules.min_rows, modalities), folder)


if __name__ == "__main__":
    run(main)
