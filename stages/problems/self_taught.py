"""Demonstrations that the model writes itself, for problems without a worked solution (§2.2: rejection sampling by prompting for a
long chain of thought). Whether they are right, the verifier says later."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.data.records import CuratedProblem, Demonstration
from stages.data.wording import ends_boxed
from stages.problems.demonstration_set import balanced
from stages.problems.teachers import ELICIT, demonstration, taught_of
from stages.prompts.prompt import BOXED, Prompt
from stages.rollout.chunks import Chunks
from stages.rollout.engine import Sampling
from stages.rollout.responder import Outcome, Request, Responder
from stages.run.optional import SelfTaught
from stages.run.seeds import stream_seed

CHUNK = 64
"""Prompts whose responses are drawn and kept together."""
UNBOXED = ELICIT.replace("in \\boxed{}.", "as the question asks for it.")
"""For problems whose answer no verifier reads from a box."""
CUT = "cut at max_tokens"


@dataclass(frozen=True)
class Drawn:
    """What the model wrote."""

    rows: list[Demonstration]
    """Every whole response, right or wrong."""
    counts: dict[str, int]
    """Prompts, tries, and tries without a whole response, by reason."""


def unsolved(problems: Sequence[CuratedProblem]) -> list[CuratedProblem]:
    """The problems that nobody has solved in writing: neither procedural, nor with a worked solution."""
    return [problem for problem in problems if problem.source != "procedural" and not problem.solution_long]


def self_taught(
    problems: Sequence[CuratedProblem],
    drawing: SelfTaught,
    responder: Responder,
    tries: int,
    seed: int,
    context: int,
    chunks: Chunks,
) -> Drawn:
    """`tries` responses to every problem, shared among the ranks (all must call); each rank gets all. A problem that cannot be
    asked within `context` tokens costs no other."""

    def work(start: int, some: Sequence[CuratedProblem]) -> list[list[tuple[str | None, str]]]:
        own = stream_seed(seed, "warm_up", "self_taught", start)
        sampling = Sampling(drawing.temperature, 1.0, drawing.max_tokens or context, own)
        found: list[Outcome] = []
        responder.respond([Request(tuple(map(_prompt, some)), tries, sampling)], lambda _, outcomes: found.extend(outcomes))
        return [_told(outcome, tries) for outcome in found]

    told = chunks.rows("self_taught", problems, CHUNK, "prompts", work)
    rows = [
        demonstration(problem, number, text)
        for problem, responses in zip(problems, told, strict=True)
        for number, (text, _) in enumerate(responses)
        if text is not None
    ]
    reasons = [reason for responses in told for text, reason in responses if text is None]
    refused = sum(reason != CUT for reason in reasons)
    counts = {"prompts": len(problems), "tries": tries * len(problems), "cut": len(reasons) - refused, "not_answered": refused}
    return Drawn(rows, counts)


def chosen(right: Sequence[Demonstration], drawn: Drawn, drawing: SelfTaught | None) -> list[Demonstration]:
    """Of what is right all that was given; of what the model wrote `per_prompt` a problem at most, the behaviours in balance, and
    only what ends in its box where one is read: with more behind it, that would be learned, too."""
    if drawing is None or not drawn.rows:
        return list(right)
    own = {row.id for row in drawn.rows}
    written = [row for row in right if row.id in own and (row.verifier not in BOXED or ends_boxed(row.response))]
    taken = {row.id for row in balanced(written, drawing.per_prompt)}
    return [row for row in right if row.id not in own or row.id in taken]


def advice(prompts: int, found: tuple[int, int, int], wanted: int, counts: dict[str, int]) -> str:
    """What is said of a set that is too small: how many were tried, right and kept (`found`), and what to change."""
    tried, right, kept = found
    asked = (
        f" The model itself was asked {counts['tries']} times: {counts['cut']} answers were cut at their limit, "
        f"{counts['not_answered']} could not be given within model.context."
        if counts
        else ""
    )
    return (
        f"{kept} demonstrations of {prompts} prompts can be used, warm_up.min_rows asks for {wanted}: of {tried} tried {right} "
        f"are right ({right / max(1, tried):.1%}).{asked} Give the rows worked solutions, name a stronger warm_up.teacher, "
        "raise warm_up.tries or warm_up.self_taught.max_tokens, or set sft.long: null, which needs no demonstration"
    )


def _prompt(problem: CuratedProblem) -> Prompt:
    return Prompt(problem.question, problem.image, ELICIT if problem.verifier in BOXED else UNBOXED)


def _told(outcome: Outcome, tries: int) -> list[tuple[str | None, str]]:
    """Response, or None and the reason, of each try."""
    each: list[Outcome] = [(response,) for response in outcome] if isinstance(outcome, tuple) else [outcome] * tries
    found = [taught_of("", number, one) for number, one in enumerate(each)]
    return [(one.response, one.reason) for one in found]
