"""Stage code_tests (§2.3.5), optional: tests for code problems that lack them, by a generator's inputs and the vote of reference
submissions.

Writes OUT/problems.jsonl (rows of a "jsonl" source), OUT/excluded.jsonl and REPORT/funnel.json, which stands beside the report's
yield. A killed run goes on where it stopped: finished problems lie in a journal."""

import argparse
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from stages.curation.code_problems import CodeOutcome, CodeProblem, as_row
from stages.curation.code_yield import funnel, table
from stages.curation.test_generation import outcome_of, refusal
from stages.data.files import DataError, read_records, write_json, write_records, write_text
from stages.data.journal import append, restored
from stages.data.records import Finding
from stages.rollout.asking import asking
from stages.run.optional import CodeTests
from stages.run.params import read
from stages.run.program import run
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.verifiers.code_rewards import program_of
from stages.verifiers.generators import prompt_for
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable

TOGETHER = 16
"""Problems that the model is asked about at a time; a killed run loses no more."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate tests for code problems")
    parser.add_argument("name", help="item of code_tests in params.yaml")
    parser.add_argument("--problems", type=Path, required=True, help="JSONL file of code problems")
    parser.add_argument("--out", type=Path, required=True, help="folder of the problems with tests")
    parser.add_argument("--report", type=Path, required=True, help="folder of the funnel")
    args = parser.parse_args()
    seed, workers, batch = read("seed", int), read("hardware.workers", int), read("hardware.generation_batch", int)
    rules = read(f"code_tests.{args.name}", CodeTests)
    if reason := why_unavailable() or missing("python"):
        raise DataError(f"tests of programs need the sandbox: {reason}")

    problems = read_records(args.problems, CodeProblem)
    state = state_folder(f"code_tests-{args.name}", [args.problems], [seed, rules.model_dump()])
    journal = state / "outcomes.jsonl"
    done = {outcome.id: outcome for outcome in restored(journal, CodeOutcome)}
    waiting = [problem for problem in _distinct(problems, args.problems) if problem.id not in done]
    print(f"{len(problems)} problems, {len(done)} of them done before")
    spool = stage_spool(f"code_tests@{args.name}")
    for start in range(0, len(waiting), TOGETHER):
        some = waiting[start : start + TOGETHER]
        generators = generators_of(some, rules, batch)
        with ThreadPoolExecutor(workers) as pool:
            finished = list(pool.map(partial(outcome_of, rules=rules, seed=seed), some, generators))
        append(journal, finished)
        done |= {outcome.id: outcome for outcome in finished}
        spool.progress(len(done), len(problems), "problems")
    hand_over(problems, [done[problem.id] for problem in problems], args.out, args.report)
    shutil.rmtree(state, ignore_errors=True)


def generators_of(problems: Sequence[CodeProblem], rules: CodeTests, batch: int) -> list[str | None]:
    """The generator of each problem: its own, or the code block that the model of `rules` answers with; None without either."""
    found = {problem.id: problem.generator for problem in problems}
    asked = [problem for problem in problems if problem.generator is None and refusal(problem, rules) is None]
    if asked and rules.model is not None:
        replies = asking(rules.model, rules.endpoint, batch)([prompt_for(problem.question, rules.inputs) for problem in asked])
        texts = ["" if isinstance(reply, DataError) else reply for reply in replies]
        found |= {problem.id: program_of(text) for problem, text in zip(asked, texts, strict=True)}
    return [found[problem.id] for problem in problems]


def hand_over(problems: Sequence[CodeProblem], outcomes: Sequence[CodeOutcome], out: Path, report: Path) -> None:
    """Write the kept problems, the others with their reasons, and the yield."""
    content = funnel(outcomes, [problem.generator is None for problem in problems])
    print(table(content))
    kept = [as_row(problem, outcome) for problem, outcome in zip(problems, outcomes, strict=True) if outcome.rule is None]
    findings = [
        Finding(id=one.id, where=problem.source, rule=one.rule, reason=one.reason)
        for problem, one in zip(problems, outcomes, strict=True)
        if one.rule is not None
    ]
    write_records(out / "excluded.jsonl", findings)
    write_json(report / "funnel.json", content)
    write_text(out / "problems.jsonl", "".join(row + "\n" for row in kept))


def _distinct(problems: Sequence[CodeProblem], path: Path) -> Sequence[CodeProblem]:
    """The problems. DataError when two have one id."""
    seen: set[str] = set()
    for number, problem in enumerate(problems, 1):
        if problem.id in seen:
            raise DataError(f"{path}:{number}: a second problem of the id {problem.id!r}; give each its own")
        seen.add(problem.id)
    return problems


if __name__ == "__main__":
    run(main)
