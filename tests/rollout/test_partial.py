"""The buffer of partial rollouts: nothing is lost, nothing is worked on twice, oldest first, bounded work, exact state."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import problem

from stages.data.files import DataError
from stages.data.records import Rollout
from stages.rollout.engine import Piece
from stages.rollout.partial import Buffer, Limits, by_rank, iterations, length, logprobs, name_of, token_ids

PROBLEMS = [problem(number) for number in range(40)]


def piece(count: int, finish: str, first: int = 0) -> Piece:
    return Piece(tuple(range(first, first + count)), tuple(-float(n) for n in range(first, first + count)), finish)


def test_a_group_waits_for_its_members() -> None:
    buffer = Buffer()
    buffer.begin(3, PROBLEMS[:2], 2)
    buffer.grow(3, {(3, "p0", 0): piece(4, "stop"), (3, "p0", 1): piece(5, "cut"), (3, "p1", 0): piece(2, "repeat"),
                    (3, "p1", 1): piece(3, "length")})  # fmt: skip
    (done,) = buffer.hand_over()
    assert done.problem is PROBLEMS[1]
    assert [member.finish for member in done.members] == ["repeat", "length"]
    assert [name_of(member) for member in buffer.unfinished()] == [(3, "p0", 1)]
    assert buffer.hand_over() == []
    buffer.begin(4, PROBLEMS[:1], 2)  # the same problem again, while its first group is still open
    buffer.grow(4, {(3, "p0", 1): piece(2, "stop", 5), (4, "p0", 0): piece(1, "cut"), (4, "p0", 1): piece(1, "stop")})
    (done,) = buffer.hand_over()
    assert done.begun == 3
    last = done.members[1]
    assert token_ids(last) == (0, 1, 2, 3, 4, 5, 6)
    assert logprobs(last) == (0, -1, -2, -3, -4, -5, -6)
    assert iterations(last) == (3, 3, 3, 3, 3, 4, 4), "each token knows whose policy drew it"
    assert iterations(done.members[0]) == (3, 3, 3, 3), "ended an iteration before its group"
    assert [name_of(member) for member in buffer.unfinished()] == [(4, "p0", 0)]


def test_room_for_fresh_groups() -> None:
    buffer = Buffer()
    assert buffer.room(8, 4) == 2
    buffer.begin(0, PROBLEMS[:2], 4)
    pieces = {name_of(member): piece(1, "stop") for member in buffer.unfinished()}
    assert buffer.room(8, 4) == 0
    buffer.grow(0, {**pieces, (0, "p0", 1): piece(1, "cut")})
    buffer.hand_over()
    assert buffer.room(8, 4) == 1, "seven places, of which a whole group takes four"


def rollout(tokens: int, begun: int = 0) -> Rollout:
    buffer = Buffer()
    buffer.begin(begun, PROBLEMS[:1], 2)
    if tokens:
        buffer.grow(begun, {(begun, "p0", 0): piece(tokens, "cut")})
    return buffer.unfinished()[0]


@pytest.mark.parametrize(
    "tokens, iteration, expected, forced",
    [
        (0, 5, (30, 100), False),  # begun in this iteration
        (30, 6, (30, 70), False),
        (90, 6, (10, 10), False),  # the limit is nearer than the budget
        (30, 7, (70, 70), True),  # two iterations old: all that is left
        (80, 7, (20, 20), False),  # as old, but what is left is within the budget
        (60, 9, (40, 40), True),
    ],
)
def test_budget_limit_and_staleness(tokens: int, iteration: int, expected: tuple[int, int], forced: bool) -> None:
    limits = Limits(max_tokens=100, segment_tokens=30, max_staleness=2)
    assert limits.of(rollout(tokens, begun=5), iteration) == expected
    assert limits.forced(rollout(tokens, begun=5), iteration) is forced


def test_whole_responses_without_a_budget() -> None:
    limits = Limits(max_tokens=100, segment_tokens=None, max_staleness=1)
    assert limits.of(rollout(0), 0) == (100, 100)
    assert not limits.forced(rollout(0), 9)


def place(member: Rollout) -> int:
    return (7 * member.begun + 5 * member.member + int(member.problem_id[1:])) % 16


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_every_response_ends_whole_and_work_is_bounded(data: st.DataObject) -> None:
    """Random lengths, budgets and caps: each response gets all its tokens in order, groups come whole and once, an iteration
    works on at most its rows, and where nothing is forced it draws at most rows x budget tokens."""
    samples, prompts = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 4))
    rows = samples * prompts
    limits = Limits(data.draw(st.integers(1, 40)), data.draw(st.integers(1, 12)), data.draw(st.integers(1, 6)))
    wanted = data.draw(st.lists(st.integers(1, 60), min_size=16, max_size=16))
    buffer, handed, begun = Buffer(), [], 0
    for iteration in range(60):
        fresh = [PROBLEMS[(begun + n) % 40] for n in range(buffer.room(rows, samples))] if iteration < 12 else []
        begun += len(fresh)
        buffer.begin(iteration, fresh, samples)
        unfinished = buffer.unfinished()
        assert len(unfinished) <= rows
        assert [member.begun for member in unfinished] == sorted(member.begun for member in unfinished), "oldest first"
        parts = by_rank(buffer.groups, 2)
        assert sorted(map(id, [*parts[0], *parts[1]])) == sorted(map(id, buffer.groups)), "each group on one rank"
        loads = [sum(len(group.unfinished) for group in part) for part in parts]
        assert abs(loads[0] - loads[1]) <= samples
        pieces = {}
        for member in unfinished:
            budget, left = limits.of(member, iteration)
            assert 1 <= budget <= left
            remaining = wanted[place(member)] - length(member)
            count = min(budget, remaining)
            finish = "stop" if count == remaining else "length" if count == left else "cut"
            pieces[name_of(member)] = piece(count, finish, length(member))
        if not any(limits.forced(member, iteration) for member in unfinished):
            assert sum(len(found.token_ids) for found in pieces.values()) <= rows * (limits.segment_tokens or 0)
        buffer.grow(iteration, pieces)
        handed += buffer.hand_over()
        again = Buffer()
        again.restore(json.loads(json.dumps(buffer.state())), {p.id: p for p in PROBLEMS}, samples)
        assert again.groups == buffer.groups
    assert buffer.groups == []
    assert len(handed) == begun
    assert len({(group.begun, group.problem.id) for group in handed}) == begun
    for group in handed:
        for member in group.members:
            assert token_ids(member) == tuple(range(min(wanted[place(member)], limits.max_tokens)))
            assert list(iterations(member)) == sorted(iterations(member))
            assert iterations(member)[-1] - member.begun <= limits.max_staleness, "the cap"


def test_a_foreign_or_broken_state_is_refused() -> None:
    buffer = Buffer()
    buffer.begin(2, PROBLEMS[:2], 2)
    state, known = buffer.state(), {p.id: p for p in PROBLEMS}
    with pytest.raises(DataError, match=r"responses to 'p1', which is not in the prompt set; run the stage with --force"):
        Buffer().restore(state, {"p0": PROBLEMS[0]}, 2)
    with pytest.raises(DataError, match=r"members \[0, 1\] of the group 'p0' of iteration 2, expected 0 to 2"):
        Buffer().restore(state, known, 3)
    with pytest.raises(DataError, match=r"members \[1\] of the group 'p0'"):
        Buffer().restore(state[1:], known, 2)
    for broken in ([{**state[0], "finish": "never"}], [{"x": 1}], 7, ["x"]):
        with pytest.raises(DataError, match=r"buffer of unfinished responses cannot be read .*--force to start afresh"):
            Buffer().restore(broken, known, 2)
