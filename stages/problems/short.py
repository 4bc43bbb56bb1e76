"""Short demonstrations (§2.5.2): the short solutions of the training problems, kept only when their verifier agrees."""

from collections.abc import Sequence

from stages.data.files import DataError
from stages.data.records import Demonstration, Finding, Problem
from stages.verifiers.verdict import verify_all

BEHAVIOURS = ("planning", "evaluation", "reflection", "exploration")


def short_demonstrations(problems: Sequence[Problem], workers: int) -> tuple[list[Demonstration], list[Finding]]:
    """The short solutions of the training problems that the verifier finds right, and a finding for each that it does
    not.

    Raises DataError when none is right: sft@short would have nothing to learn from."""
    solved = [(row, row.solution_short) for row in problems if row.split == "train" and row.solution_short]
    verdicts = verify_all([(row.verifier, row.answer, solution) for row, solution in solved], workers)
    kept, lost = [], []
    for (row, solution), verdict in zip(solved, verdicts, strict=True):
        if verdict.outcome == "right":
            kept.append(_demonstration(row, solution))
        else:
            reason = f"{verdict.outcome}: {verdict.reason}"
            lost.append(Finding(id=row.id, where=row.source, rule="short solution not verified", reason=reason))
    if not kept:
        raise DataError(f"none of {len(solved)} short solutions of the training problems is right; add sources with solutions")
    return kept, lost


def _demonstration(problem: Problem, solution: str) -> Demonstration:
    return Demonstration(
        id=f"{problem.id}-short",
        problem_id=problem.id,
        family=problem.family,
        question=problem.question,
        image=problem.image,
        verifier=problem.verifier,
        response=solution,
        response_ids=None,
        form="short",
        behaviours=dict.fromkeys(BEHAVIOURS, 0),
    )
