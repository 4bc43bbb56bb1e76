"""Test-case generation for code (§2.3.5): a generator's inputs, the outputs of ten reference submissions, and two votes.

A test is kept when at least 7 of 10 submissions print the same, which is its expected output; a problem when at least 9 of 10
submissions pass all kept tests. The report draws ten submissions for each test; here they are the same ten for all tests of a
problem, so that both votes read one table. Problems without a word about a special judge are told by it, too: their right
submissions finish and print different things."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from stages.curation.code_problems import (
    NO_TESTS,
    NOT_PASSED,
    SPECIAL_JUDGE,
    TOO_FEW,
    CodeOutcome,
    CodeProblem,
    Submission,
    several_answers,
    unusable,
)
from stages.run.optional import CodeTests
from stages.run.seeds import stream_seed
from stages.verifiers.code_tests import outputs_of, same_output
from stages.verifiers.generators import Generated, generate
from stages.verifiers.programs import CompileError, StarvedError

MAX_FAILURES = 2
"""A submission that failed on so many inputs is not run on the rest: a slow one would take its whole time on each."""
Row = Sequence[str | None]
"""Outputs of one submission, None where it failed."""


@dataclass(frozen=True)
class Vote:
    """What the submissions printed for one input."""

    output: str | None
    """The output that enough of them agree on; None without one."""
    finished: int
    """Submissions that printed anything."""


def outcome_of(problem: CodeProblem, generator: str | None, rules: CodeTests, seed: int) -> CodeOutcome:
    """The tests of a problem, or why it has none. `generator`: the program, None where nobody wrote one. Raises
    SandboxUnavailableError."""
    refused = refusal(problem, rules)
    if refused is not None:
        return refused
    if generator is None:
        return _removed(problem, NO_TESTS, "there is no generator", {"wanted": rules.inputs})
    generated = generate(generator, rules.inputs, stream_seed(seed, "code_tests", problem.id), rules.seconds)
    inputs = list(dict.fromkeys(one.text for one in generated if one.text is not None))
    counts = {"wanted": len(generated), "generated": sum(one.text is not None for one in generated), "distinct": len(inputs)}
    if len(inputs) < rules.min_tests:
        return _removed(problem, NO_TESTS, _few_inputs(generated, inputs, rules), counts)
    submissions = drawn(problem, rules.submissions, seed)
    table = [outputs(submission, inputs, rules.seconds) for submission in submissions]
    return judged(problem, inputs, table, counts, rules)


def refusal(problem: CodeProblem, rules: CodeTests) -> CodeOutcome | None:
    """The outcome of a problem that nothing has to be run for, so that no model is asked either; else None."""
    reason = unusable(problem)
    if reason is None and len(problem.submissions) < rules.submissions:
        reason = f"{len(problem.submissions)} reference submissions, {rules.submissions} are compared"
    if reason is not None:
        return _removed(problem, TOO_FEW, reason, {})
    several = several_answers(problem)
    return None if several is None else _removed(problem, SPECIAL_JUDGE, several, {})


def drawn(problem: CodeProblem, count: int, seed: int) -> list[Submission]:
    """`count` of the problem's submissions, by the seed and the problem's id."""
    references = problem.references()
    return random.Random(stream_seed(seed, "submissions", problem.id)).sample(references, count)


def outputs(submission: Submission, inputs: Sequence[str], seconds: float) -> list[str | None]:
    """What a submission prints for each input; None where it fails, and everywhere after MAX_FAILURES failures."""
    found: list[str | None] = []
    try:
        for _ in range(MAX_FAILURES):
            rest = (
                outputs_of(submission.program, inputs[len(found) :], submission.language, seconds) if inputs[len(found) :] else []
            )
            found += rest[: rest.index(None) + 1] if None in rest else rest
    except CompileError:
        return [None] * len(inputs)
    except StarvedError:
        pass  # no vote on the rest
    return found + [None] * (len(inputs) - len(found))


def judged(
    problem: CodeProblem, inputs: Sequence[str], table: Sequence[Row], counts: dict[str, int], rules: CodeTests
) -> CodeOutcome:
    """Both votes over the table of outputs, one row a submission, one column an input."""
    votes = [vote([row[place] for row in table], rules.agree) for place in range(len(inputs))]
    tests = [{"input": text, "output": one.output} for text, one in zip(inputs, votes, strict=True) if one.output is not None]
    disputed = sum(one.output is None and one.finished >= rules.agree for one in votes)
    counts = {**counts, "agreed": len(tests), "disputed": disputed, "unfinished": len(inputs) - len(tests) - disputed}
    counts["run"] = len(table)
    if disputed > len(tests):
        reason = f"the submissions' outputs differ on {disputed} of {len(inputs)} inputs: several may be right"
        return _removed(problem, SPECIAL_JUDGE, reason, counts)
    if len(tests) < rules.min_tests:
        reason = f"{rules.agree} of {len(table)} submissions agree on {len(tests)} inputs, {rules.min_tests} are needed"
        return _removed(problem, NO_TESTS, reason, counts)
    counts["passing"] = sum(passes(row, votes) for row in table)
    if counts["passing"] < rules.passing:
        reason = f"{counts['passing']} of {len(table)} submissions pass the {len(tests)} tests, {rules.passing} must"
        return _removed(problem, NOT_PASSED, reason, counts)
    return CodeOutcome(id=problem.id, rule=None, reason="kept", tests=tests, counts=counts)


def vote(column: Row, agree: int) -> Vote:
    """The output of the largest group of submissions that print the same (`same_output` of the verifier), when they are
    at least `agree`; of equal outputs the first one as it was printed."""
    groups: list[list[str]] = []
    for output in column:
        if output is None:
            continue
        group = next((group for group in groups if same_output(output, group[0])), None)
        if group is None:
            groups.append([output])
        else:
            group.append(output)
    largest = max(groups, key=len, default=[])
    return Vote(largest[0] if largest and len(largest) >= agree else None, sum(map(len, groups)))


def passes(row: Row, votes: Sequence[Vote]) -> bool:
    """Whether a submission's outputs are right on every kept test."""
    pairs = [(printed, one.output) for printed, one in zip(row, votes, strict=True) if one.output is not None]
    return all(printed is not None and same_output(printed, expected) for printed, expected in pairs)


def _few_inputs(generated: Sequence[Generated], inputs: Sequence[str], rules: CodeTests) -> str:
    reasons = [one.reason for one in generated if one.reason]
    first = f"; first failure: {reasons[0]}" if reasons else ""
    return f"the generator makes {len(inputs)} different inputs of {len(generated)}, {rules.min_tests} are needed{first}"


def _removed(problem: CodeProblem, rule: str, reason: str, counts: dict[str, int]) -> CodeOutcome:
    return CodeOutcome(id=problem.id, rule=rule, reason=reason, tests=[], counts=counts)
