r"""The one door of verification: a response is right, wrong, or cannot be judged (an error, with its reason).

"integer", "text", "choice" and "math" compare the last \boxed{} after the thinking part (answer_rules.py), "code" runs a program
against tests in the sandbox (code_rewards.py), "instructions" checks a text (instruction_rewards.py), "judge" asks a model
(judge.py), "reward_model" one with a value head (reward_model.py)."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar, get_args

from stages.data.records import VerifierName
from stages.verifiers.answer_rules import NO_BOX, unreadable_answers, verify_answers
from stages.verifiers.claims import Claim, Outcome, Verdict
from stages.verifiers.code_rewards import unrunnable, verify_programs
from stages.verifiers.instruction_rewards import unusable, verify_instructions
from stages.verifiers.judge import Answer, unreadable_reference, verify_by_judge
from stages.verifiers.reward_model import verify_by_value

__all__ = [
    "NO_BOX",
    "Answer",
    "Claim",
    "Kind",
    "Outcome",
    "Verdict",
    "answerable",
    "answerable_all",
    "kind_of",
    "verify",
    "verify_all",
]

T = TypeVar("T")
R = TypeVar("R")
Kind = Literal["answer", "code", "instructions", "judge", "reward_model"]
Item = Claim | tuple[VerifierName, str, str]
"""A claim, or (verifier, gold, response) where no question is needed."""
Gold = tuple[VerifierName, str]
"""(verifier, gold answer)."""


class Setting(NamedTuple):
    """What every kind of judging is given beside its claims."""

    workers: int
    seconds: float
    """Wall-clock limit of one comparison or check."""
    judge: Answer | None


class Rule(NamedTuple):
    """How claims of one kind are judged, all of them in one call."""

    judge: Callable[[Sequence[Claim], Setting], list[Verdict]]
    unreadable: Callable[[Sequence[Gold], Setting, bool], list[str | None]]
    """For each gold answer None, or why no response could be right; told whether there is a judge."""


RULES: dict[Kind, Rule] = {
    "answer": Rule(
        lambda claims, given: verify_answers(claims, given.workers, given.seconds),
        lambda golds, given, _: unreadable_answers(golds, given.workers, given.seconds),
    ),
    "code": Rule(
        lambda claims, given: verify_programs(_pairs(claims), given.workers),
        lambda golds, _given, _: [unrunnable(gold) for _, gold in golds],
    ),
    "instructions": Rule(
        lambda claims, given: verify_instructions(_pairs(claims), given.workers, given.seconds),
        lambda golds, _given, _: [unusable(gold) for _, gold in golds],
    ),
    "judge": Rule(
        lambda claims, given: verify_by_judge(claims, given.judge),
        lambda golds, _given, judged: [unreadable_reference(gold, judged) for _, gold in golds],
    ),
    "reward_model": Rule(
        lambda claims, given: verify_by_value(claims, given.judge),
        lambda golds, _given, judged: [unreadable_reference(gold, judged) for _, gold in golds],
    ),
}
"""A verifier is a kind of its own here, or one of the rules of "answer"."""


def verify(verifier: VerifierName, gold: str, response: str, question: str = "", judge: Answer | None = None) -> Verdict:
    """Judge one response. Raises ValueError for an unknown verifier."""
    return verify_all([Claim(verifier, gold, response, question)], workers=1, judge=judge)[0]


def verify_all(items: Sequence[Item], workers: int = 2, seconds: float = 10.0, judge: Answer | None = None) -> list[Verdict]:
    """Judge claims, in order. `seconds` is the wall-clock limit of one comparison or check; programs have the time of their tests,
    and the judge what it takes. Without `judge`, claims for it are errors."""
    claims, given = [Claim(*item) for item in items], Setting(workers, seconds, judge)
    return _by_kind(claims, [claim.verifier for claim in claims], lambda kind, some: RULES[kind].judge(some, given))


def answerable(verifier: VerifierName, gold: str) -> str | None:
    """None when the gold answer can be read, else the reason why no response could be right."""
    return answerable_all([(verifier, gold)], workers=1)[0]


def answerable_all(items: Sequence[Gold], workers: int = 2, seconds: float = 10.0, judged: bool = True) -> list[str | None]:
    """`answerable` of many (verifier, gold) pairs, in order: no answer, no tests or no sandbox for them, an unknown instruction, an
    answer that algebra does not find equal to itself. `judged`: whether there is a judge for those who need one."""
    given = Setting(workers, seconds, None)
    return _by_kind(items, [verifier for verifier, _ in items], lambda kind, some: RULES[kind].unreadable(some, given, judged))


def kind_of(verifier: VerifierName) -> Kind:
    """What judges it. ValueError for an unknown verifier."""
    if verifier not in get_args(VerifierName):
        raise ValueError(f"unknown verifier {verifier!r}; expected one of {', '.join(get_args(VerifierName))}")
    return next((kind for kind in get_args(Kind) if kind == verifier), "answer")


def _pairs(claims: Sequence[Claim]) -> list[tuple[str, str]]:
    return [(claim.gold, claim.response) for claim in claims]


def _by_kind(items: Sequence[T], verifiers: Sequence[VerifierName], work: Callable[[Kind, list[T]], list[R]]) -> list[R]:
    """What `work` makes of all items of each kind, in the order of the items."""
    kinds = [kind_of(verifier) for verifier in verifiers]
    found: dict[int, R] = {}
    for kind in dict.fromkeys(kinds):
        members = [index for index, other in enumerate(kinds) if other == kind]
        found |= zip(members, work(kind, [items[index] for index in members]), strict=True)
    return [found[index] for index in range(len(items))]
