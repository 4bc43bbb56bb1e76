"""What the optimizer steps of an iteration learn from: responses with their advantages, and which of their tokens carry loss (§2.6:
segments of earlier iterations can be excluded)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.data.records import CuratedProblem, Rollout
from stages.policy.health import staleness
from stages.policy.iteration import Group
from stages.rollout.partial import iterations, logprobs


@dataclass(frozen=True)
class Lesson:
    """One response to learn from."""

    group: int
    """Place of its group among those that are learned from."""
    problem: CuratedProblem
    member: Rollout
    advantage: float
    mask: tuple[bool, ...]
    """Which tokens of the response carry loss; at least one does."""
    age: tuple[int, ...]
    """Of each token of the response, the iterations since it was drawn."""

    @property
    def behaviour(self) -> list[float]:
        """Behaviour log-probability of each token that carries loss."""
        return [value for value, carries in zip(logprobs(self.member), self.mask, strict=True) if carries]

    @property
    def loss_ages(self) -> list[int]:
        """Age of each token that carries loss."""
        return [age for age, carries in zip(self.age, self.mask, strict=True) if carries]


def lessons_of(
    groups: Sequence[Group], iteration: int, mask_stale: bool, keep: Callable[[Group], Sequence[bool]] | None = None
) -> list[Lesson]:
    """The responses of `groups` that have a token with loss: all tokens have, or with `mask_stale` those that this iteration's
    policy drew. `keep` tells which of the K members are learned from (None: all). Advantages are within all K, also those that
    are left out."""
    lessons = []
    for place, group in enumerate(groups):
        kept = [True] * len(group.members) if keep is None else keep(group)
        for member, advantage, stays in zip(group.members, group.advantage_K.tolist(), kept, strict=True):
            if not stays:
                continue
            age = tuple(iteration - drawn for drawn in iterations(member))
            mask = tuple(not mask_stale or found == 0 for found in age)
            if any(mask):
                lessons.append(Lesson(place, group.problem, member, advantage, mask, age))
    return lessons


def ages(lessons: Sequence[Lesson]) -> dict[str, float]:
    """Shares of the tokens that carry loss by their age (health.staleness)."""
    return staleness((age, 1) for lesson in lessons for age in lesson.loss_ages)
