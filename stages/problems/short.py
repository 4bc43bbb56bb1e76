"""Short demonstrations (§2.5.2): the short solutions of the training problems, kept only when their verifier agrees."""

from collections.abc import Iterator, Sequence

from stages.data.records import Demonstration, Finding, Problem
from stages.verifiers.verdict import verify_all

BEHAVIOURS = ("planning", "evaluation", "reflection", "exploration")
BATCH = 4096
"""Solutions that are verified at once."""


def short_demonstrations(problems: Sequence[Problem], workers: int, lost: list[Finding]) -> Iterator[Demonstration]:
    """The short solutions of the training problems that the verifier finds right, a batch after the other; a finding for each that
    it does not goes into `lost`. There may be none: then sft.short has nothing to learn from, and says so unless it is null."""
    solved = [row for row in problems if row.split == "train" and row.solution_short]
    for start in range(0, len(solved), BATCH):
        batch = solved[start : start + BATCH]
        verdicts = verify_all([(row.verifier, row.answer, row.solution_short or "") for row in batch], workers)
        for row, verdict in zip(batch, verdicts, strict=True):
            if verdict.outcome == "right":
                yield _demonstration(row, row.solution_short or "")
            else:
                reason = f"{verdict.outcome}: {verdict.reason}"
                lost.append(Finding(id=row.id, where=row.source, rule="short solution not verified", reason=reason))


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
