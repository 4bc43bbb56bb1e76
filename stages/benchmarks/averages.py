"""From verdicts to the headline score, as the benchmark's authors average: over items, or over the means of groups."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.benchmarks.items import Item
from stages.benchmarks.statistics import Estimate, accuracy, grouped_accuracy
from stages.verifiers.verdict import Verdict


@dataclass(frozen=True)
class Judged:
    """An item and the verdicts of its k responses, in the order of the responses."""

    item: Item
    verdicts: tuple[Verdict, ...]

    @property
    def rights(self) -> list[bool]:
        """Whether each response is right; an error is not."""
        return [verdict.outcome == "right" for verdict in self.verdicts]


@dataclass(frozen=True)
class Average:
    """The headline score with its interval, and the figures that stand beside it."""

    score: Estimate
    """From 0 to 1."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Named extra figures, in percent where they are shares."""


def micro(judged: Sequence[Judged]) -> Average:
    """Every item counts the same."""
    return Average(accuracy([one.rights for one in judged]))


def macro(judged: Sequence[Judged], key: Callable[[Item], Hashable]) -> Estimate:
    """The mean over the groups that `key` names of each group's mean."""
    return grouped_accuracy(list(by_group(judged, key).values()))


def by_group(judged: Sequence[Judged], key: Callable[[Item], Hashable]) -> dict[Hashable, list[list[bool]]]:
    """The rights of the items of each group, groups in the order in which they come."""
    groups: dict[Hashable, list[list[bool]]] = {}
    for one in judged:
        groups.setdefault(key(one.item), []).append(one.rights)
    return groups


def percent(share: float) -> float:
    """A share as a percentage with two decimals."""
    return round(100 * share, 2)
