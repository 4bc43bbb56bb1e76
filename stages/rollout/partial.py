"""Partial rollouts (§2.6): a response grows by a fixed budget of tokens an iteration. What is unfinished waits in the buffer and is
continued first, oldest first; a group of K responses is handed over when all its members have ended. Pure data, no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from stages.data.files import DataError
from stages.data.records import CuratedProblem, Rollout, Segment
from stages.rollout.engine import Piece

Name = tuple[int, str, int]
"""(begun, problem id, member): which response."""


def name_of(rollout: Rollout) -> Name:
    """The response's name, unique in a run."""
    return rollout.begun, rollout.problem_id, rollout.member


def token_ids(rollout: Rollout) -> tuple[int, ...]:
    """All tokens so far."""
    return tuple(token for segment in rollout.segments for token in segment.token_ids)


def logprobs(rollout: Rollout) -> tuple[float, ...]:
    """Behaviour log-probability of each token, each under the policy that drew it."""
    return tuple(value for segment in rollout.segments for value in segment.logprobs)


def iterations(rollout: Rollout) -> tuple[int, ...]:
    """Of each token, the iteration whose policy drew it."""
    return tuple(segment.iteration for segment in rollout.segments for _ in segment.token_ids)


def length(rollout: Rollout) -> int:
    """Tokens so far."""
    return sum(len(segment.token_ids) for segment in rollout.segments)


@dataclass(frozen=True)
class Limits:
    """How far a response may grow."""

    max_tokens: int
    """In all; a response that gets there without an end is a finished one, with finish "length"."""
    segment_tokens: int | None
    """In one iteration; None: no limit but max_tokens, whole responses."""
    max_staleness: int
    """Iterations after its first in which a response is cut; then it gets all that is left of max_tokens."""

    def of(self, rollout: Rollout, iteration: int) -> tuple[int, int]:
        """(budget of this iteration, tokens left in all), both at least 1 for an unfinished response."""
        left = self.max_tokens - length(rollout)
        whole = self.segment_tokens is None or self._stale(rollout, iteration)
        return left if whole or self.segment_tokens is None else min(self.segment_tokens, left), left

    def forced(self, rollout: Rollout, iteration: int) -> bool:
        """Whether the response gets more than the budget because it has been open for so long."""
        beyond = self.segment_tokens is not None and self.max_tokens - length(rollout) > self.segment_tokens
        return beyond and self._stale(rollout, iteration)

    def _stale(self, rollout: Rollout, iteration: int) -> bool:
        return iteration - rollout.begun >= self.max_staleness


@dataclass(frozen=True)
class OpenGroup:
    """K responses to one problem that were begun together."""

    problem: CuratedProblem
    members: tuple[Rollout, ...]

    @property
    def begun(self) -> int:
        return self.members[0].begun

    @property
    def unfinished(self) -> list[Rollout]:
        return [member for member in self.members if member.finish is None]


class Buffer:
    """All open groups, oldest first. The same on every rank."""

    def __init__(self) -> None:
        self.groups: list[OpenGroup] = []

    def unfinished(self) -> list[Rollout]:
        """Responses to go on with, oldest first."""
        return [member for group in self.groups for member in group.unfinished]

    def room(self, rows: int, samples: int) -> int:
        """How many groups of `samples` may be begun when an iteration works on at most `rows` responses: unfinished ones go first,
        so that an iteration's work is bounded whatever the limit of a response is."""
        return max(0, rows - len(self.unfinished())) // samples

    def begin(self, iteration: int, problems: Sequence[CuratedProblem], samples: int) -> None:
        """Open a group for each of `problems`, its members without a token."""
        for problem in problems:
            members = [Rollout(problem_id=problem.id, begun=iteration, member=n, segments=[], finish=None) for n in range(samples)]
            self.groups.append(OpenGroup(problem, tuple(members)))

    def grow(self, iteration: int, pieces: Mapping[Name, Piece]) -> None:
        """Add what the iteration drew. A piece that was cut leaves its response unfinished; the other endings finish it."""
        self.groups = [
            replace(
                group,
                members=tuple(
                    grown(member, iteration, pieces[name_of(member)]) if name_of(member) in pieces else member
                    for member in group.members
                ),
            )
            for group in self.groups
        ]

    def hand_over(self) -> list[OpenGroup]:
        """Take out the groups whose members have all ended, oldest first."""
        done = [group for group in self.groups if not group.unfinished]
        self.groups = [group for group in self.groups if group.unfinished]
        return done

    def state(self) -> list[dict[str, Any]]:
        """JSON values for `restore`."""
        return [member.model_dump(mode="json") for group in self.groups for member in group.members]

    def restore(self, state: Any, problems: Mapping[str, CuratedProblem], samples: int) -> None:
        """Go back to a saved state. Raises DataError when it is none, or one of other problems or another K."""
        try:
            members = [Rollout.model_validate(row) for row in state]
        except (ValidationError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"the saved buffer of unfinished responses cannot be read ({reason}); {AFRESH}") from error
        groups: dict[tuple[int, str], list[Rollout]] = {}
        for member in members:
            groups.setdefault((member.begun, member.problem_id), []).append(member)
        for (begun, problem), found in groups.items():
            if problem not in problems:
                raise DataError(f"the saved buffer has responses to {problem!r}, which is not in the prompt set; {AFRESH}")
            if [member.member for member in found] != list(range(samples)):
                numbers = [member.member for member in found]
                raise DataError(
                    f"the saved buffer has members {numbers} of the group {problem!r} of iteration {begun}, "
                    f"expected 0 to {samples - 1}; {AFRESH}"
                )
        self.groups = [OpenGroup(problems[problem], tuple(found)) for (_, problem), found in groups.items()]


AFRESH = "run the stage with --force to start afresh"


def by_rank(groups: Sequence[OpenGroup], ranks: int) -> list[list[OpenGroup]]:
    """Whole groups for each rank, in order, each to the rank with the fewest unfinished responses so far."""
    parts: list[list[OpenGroup]] = [[] for _ in range(ranks)]
    rows = [0] * ranks
    for group in groups:
        place = rows.index(min(rows))
        parts[place].append(group)
        rows[place] += len(group.unfinished)
    return parts


def grown(member: Rollout, iteration: int, piece: Piece) -> Rollout:
    """The response with the tokens of `piece`; finished unless they were cut."""
    segment = Segment(iteration=iteration, token_ids=list(piece.token_ids), logprobs=list(piece.logprobs))
    finish = None if piece.finish == "cut" else piece.finish
    return member.model_copy(update={"segments": [*member.segments, segment], "finish": finish})
