"""Who demonstrates a problem (§2.2): the procedural teacher, which may guess and be wrong, or the published
solution."""

import random
from collections.abc import Iterator, Sequence

from stages.data.records import CuratedProblem, Demonstration
from stages.problems.behaviours import count_behaviours
from stages.problems.procedural import teach
from stages.run.optional import WarmUp
from stages.run.seeds import stream_seed
from stages.verifiers.verdict import Answer, Claim, Verdict, verify_all


def demonstrations(problem: CuratedProblem, warm_up: WarmUp, seed: int) -> Iterator[Demonstration]:
    """What the teacher of a problem writes: `tries` attempts for a procedural one, the published solution for a real
    one."""
    if problem.source == "procedural":
        rng = random.Random(stream_seed(seed, "warm_up", problem.id))
        written = [teach(problem, rng, warm_up.hazard, warm_up.terse_share) for _ in range(warm_up.tries)]
    elif problem.solution_long:
        written = [(problem.solution_long, count_behaviours(problem.solution_long))]
    else:
        written = []
    for number, (response, behaviours) in enumerate(written):
        yield Demonstration(
            id=f"{problem.id}-long-{number}",
            problem_id=problem.id,
            family=problem.family,
            question=problem.question,
            image=problem.image,
            verifier=problem.verifier,
            response=response,
            response_ids=None,
            form="long",
            behaviours=behaviours,
        )


def without_repeats(tried: Sequence[Demonstration]) -> list[Demonstration]:
    """The demonstrations, each response once for its problem."""
    return list({(row.problem_id, row.response): row for row in reversed(tried)}.values())[::-1]


def verdicts_on(
    problems: Sequence[CuratedProblem], rows: Sequence[Demonstration], workers: int, judge: Answer | None
) -> list[Verdict]:
    """How the verifier judges each demonstration (rejection sampling keeps the right ones)."""
    by_id = {problem.id: problem for problem in problems}
    claims = [Claim(row.verifier, by_id[row.problem_id].answer, row.response, row.question) for row in rows]
    return verify_all(claims, workers, judge=judge)
