r"""The one door of verification: a response is right, wrong, or cannot be judged (an error, with its reason).

"integer", "text", "choice" and "math" compare the last \boxed{} after the thinking part (answer_rules.py), "code" runs a program
against tests in the sandbox (code_rewards.py), "instructions" checks a text (instruction_rewards.py), "judge" asks a model
(judge.py), "reward_model" one with a value head (reward_model.py)."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar, get_args

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


def verify(verifier: VerifierName, gold: str, response: str, question: str = "", judge: Answer | None = None) -> Verdict:
    """Judge one response. Raises ValueError for an unknown verifier."""
    return verify_all([Claim(verifier, gold, response, question)], workers=1, judge=judge)[0]


def verify_all(items: Sequence[Item], workers: int = 2, seconds: float = 10.0, judge: Answer | None = None) -> list[Verdict]:
    """Judge claims, in order. `seconds` is the wall-clock limit of one comparison or check; programs have the time of their tests,
    and the judge what it takes. Without `judge`, claims for it are errors."""
    claims = [Claim(*item) for item in items]

    def verify_some(kind: Kind, some: list[Claim]) -> list[Verdict]:
        pairs = [(claim.gold, claim.response) for claim in some]
        if kind == "code":
            return verify_programs(pairs, workers)
        if kind == "instructions":
            return verify_instructions(pairs, workers, seconds)
        if kind == "reward_model":
            return verify_by_value(some, judge)
        return verify_by_judge(some, judge) if kind == "judge" else verify_answers(some, workers, seconds)

    return _by_kind(claims, [claim.verifier for claim in claims], verify_some)


def answerable(verifier: VerifierName, gold: str) -> str | None:
    """None when the gold answer can be read, else the reason why no response could be right."""
    return answerable_all([(verifier, gold)], workers=1)[0]


def answerable_all(
    items: Sequence[tuple[VerifierName, str]], workers: int = 2, seconds: float = 10.0, judged: bool = True
) -> list[str | None]:
    """`answerable` of many (verifier, gold) pairs, in order: no answer, no tests or no sandbox for them, an unknown instruction, an
    answer that algebra does not find equal to itself. `judged`: whether there is a judge for those who need one."""

    def reasons_of(kind: Kind, some: list[tuple[VerifierName, str]]) -> list[str | None]:
        if kind == "code":
            return [unrunnable(gold) for _, gold in some]
        if kind == "instructions":
            return [unusable(gold) for _, gold in some]
        return (
            [unreadable_reference(gold, judged) for _, gold in some]
            if kind in ("judge", "reward_model")
            else unreadable_answers(some, workers, seconds)
        )

    return _by_kind(items, [verifier for verifier, _ in items], reasons_of)


def kind_of(verifier: VerifierName) -> Kind:
    """What judges it. ValueError for an unknown verifier."""
    if verifier not in get_args(VerifierName):
        raise ValueError(f"unknown verifier {verifier!r}; expected one of {', '.join(get_args(VerifierName))}")
    return verifier if verifier in ("code", "instructions", "judge", "reward_model") else "answer"


def _by_kind(items: Sequence[T], verifiers: Sequence[VerifierName], work: Callable[[Kind, list[T]], list[R]]) -> list[R]:
    """What `work` makes of all items of each kind, in the order of the items."""
    kinds = [kind_of(verifier) for verifier in verifiers]
    found: dict[int, R] = {}
    for kind in dict.fromkeys(kinds):
        members = [index for index, other in enumerate(kinds) if other == kind]
        found |= zip(members, work(kind, [items[index] for index in members]), strict=True)
    return [found[index] for index in range(len(items))]
