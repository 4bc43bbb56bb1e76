"""Which tokens carry loss: all, or those of the present iteration; by hand."""

import pytest
from tiny import problem

from stages.data.records import Rollout, Segment
from stages.policy.iteration import score
from stages.policy.lessons import ages, lessons_of
from stages.verifiers.verdict import Verdict


def member(number: int, *segments: tuple[int, int]) -> Rollout:
    """Of (iteration, tokens) segments."""
    found = [
        Segment(iteration=iteration, token_ids=[7] * count, logprobs=[-1.0 - iteration] * count) for iteration, count in segments
    ]
    return Rollout(problem_id="p0", begun=4, member=number, segments=found, finish="stop")


# begun in iteration 4: one ended there, one in 5, one in 7 after three cuts
GROUP = score(
    problem(0),
    [member(0, (4, 3)), member(1, (4, 2), (5, 1)), member(2, (4, 2), (5, 2), (6, 2), (7, 1))],
    [Verdict("right", None, ""), Verdict("wrong", None, ""), Verdict("wrong", None, "")],
    0.0,
)


def test_all_tokens_carry_loss() -> None:
    lessons = lessons_of([GROUP], 7, mask_stale=False)
    assert [lesson.mask for lesson in lessons] == [(True,) * 3, (True,) * 3, (True,) * 7]
    assert [lesson.age for lesson in lessons] == [(3, 3, 3), (3, 3, 2), (3, 3, 2, 2, 1, 1, 0)]
    assert [lesson.advantage for lesson in lessons] == pytest.approx([2 / 3, -1 / 3, -1 / 3])
    assert lessons[1].behaviour == [-5.0, -5.0, -6.0]
    shares = {"staleness/0": 1 / 13, "staleness/1": 2 / 13, "staleness/2": 3 / 13, "staleness/3+": 7 / 13}
    assert ages(lessons) == pytest.approx(shares)


def test_stale_tokens_are_masked() -> None:
    """Only the last token is of iteration 7; the two responses that ended before leave, but stay in the baseline."""
    (lesson,) = lessons_of([GROUP], 7, mask_stale=True)
    assert lesson.mask == (False,) * 6 + (True,)
    assert lesson.member is GROUP.members[2]
    assert lesson.advantage == pytest.approx(-1 / 3)
    assert lesson.behaviour == [-8.0]
    assert lesson.loss_ages == [0]
    assert ages([lesson]) == {"staleness/0": 1, "staleness/1": 0, "staleness/2": 0, "staleness/3+": 0}


def test_four_and_more_iterations_count_as_three() -> None:
    assert ages(lessons_of([GROUP], 20, mask_stale=False))["staleness/3+"] == 1


def test_the_place_is_that_of_the_group() -> None:
    assert [lesson.group for lesson in lessons_of([GROUP, GROUP], 7, mask_stale=True)] == [0, 1]
    assert ages([]) == {}
