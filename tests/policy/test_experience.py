"""Iterations of rollout against an engine with a script: what is continued, handed over, judged; no model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tiny import Tiny, hardware, partial_rollouts, problem, reinforcement

from stages.data.records import CuratedProblem
from stages.policy import experience as module
from stages.policy.experience import Experience
from stages.prompts.prompt import Prompt
from stages.rollout.engine import Piece, Repetition, Request, Sampling
from stages.rollout.partial import name_of
from stages.verifiers.claims import Claim, Verdict

END = 0


@dataclass
class Script:
    """An engine whose k-th fresh response to a question has `lengths[question][k]` tokens, the last of them the end; token n of it
    is n. Responses of more than `repeats_at` tokens are stopped there."""

    lengths: dict[str, list[int]]
    repeats_at: int = 1000
    calls: list[list[Request]] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)
    _begun: dict[str, int] = field(default_factory=dict)
    _wanted: dict[tuple[str, int], int] = field(default_factory=dict)

    def extend(
        self, requests: Sequence[Request], sampling: Sampling, ended: Callable[[int, Piece], None] | None = None
    ) -> list[Piece]:
        self.calls.append(list(requests))
        self.samplings.append(sampling)
        pieces = [self._piece(request) for request in requests]
        for index, piece in enumerate(pieces if ended else []):
            ended(index, piece)
        return pieces

    def _piece(self, request: Request) -> Piece:
        question, done = request.prompt.question, len(request.start)
        if not done:
            number = self._begun.get(question, 0)
            self._begun[question] = number + 1
            wanted = self.lengths[question][number]
        else:
            wanted = request.start[0]  # the first token says how long the response becomes
        count = min(request.budget, request.limit, wanted - done, self.repeats_at - done)
        ids = [wanted if place == 0 else END if place == wanted - 1 else place for place in range(done, done + count)]
        reached = done + count
        finish = "stop" if reached == wanted else "repeat" if reached == self.repeats_at else "length"
        finish = "cut" if finish == "length" and count < request.limit else finish
        return Piece(tuple(ids), (-0.5,) * count, finish)

    def decode(self, token_ids: Sequence[int]) -> str:
        return f"{len(token_ids)} tokens"


def experience(tiny: Tiny, script: Script, changed: dict[str, Any] | None = None, **partial: Any) -> Experience:
    rl = reinforcement(**{"prompts": 2, "samples": 2, "max_tokens": 20, **(changed or {})})
    partial = {"segment_tokens": 6, "max_staleness": 9, **partial}
    return Experience(script, tiny.renderer(), rl, partial_rollouts(**partial), hardware(), 5)  # type: ignore[arg-type]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text is right; the texts that were judged."""
    texts: list[str] = []

    def judge(items: Sequence[Claim], *_: Any) -> list[Verdict]:
        texts.extend(item.response for item in items)
        return [Verdict("right", None, "")] * len(items)

    monkeypatch.setattr(module, "verify_all", judge)
    return texts


A, B, C = problem(1), problem(2), problem(3)


def test_three_iterations_by_hand(tiny: Tiny, asked: list[str]) -> None:
    """A's responses have 4 and 15 tokens, B's 2 and 3, C's 5 and 6; six tokens an iteration, four rows."""
    script = Script({A.question: [4, 15], B.question: [2, 3], C.question: [5, 6]})
    found = experience(tiny, script)
    assert found.room == 2
    groups, figures, drawn = found.collect(0, [A, B])
    assert [group.problem.id for group in groups] == ["p2"]
    assert asked == ["4 tokens", "2 tokens", "3 tokens"], "as they end, also of a group that waits"
    assert drawn == 4 + 6 + 2 + 3
    assert figures == {"cut": 0.25, "staleness/forced": 0, "buffer/groups": 1, "buffer/responses": 1, "buffer/tokens": 6}
    assert found.room == 1, "one response is continued, and of the three rows left a group takes two"

    groups, figures, drawn = found.collect(1, [C])
    assert [group.problem.id for group in groups] == ["p3"]
    assert [len(request.start) for request in script.calls[1]] == [6, 0, 0], "what is unfinished first"
    assert [(request.budget, request.limit) for request in script.calls[1]] == [(6, 14), (6, 20), (6, 20)]
    assert drawn == 6 + 5 + 6
    assert figures["buffer/tokens"] == 12

    (group,), figures, drawn = found.collect(2, [])
    assert group.problem.id == "p1"
    assert [[len(segment.token_ids) for segment in member.segments] for member in group.members] == [[4], [6, 6, 3]]
    assert [segment.iteration for segment in group.members[1].segments] == [0, 1, 2]
    assert (drawn, figures["buffer/groups"], figures["cut"]) == (3, 0, 0)
    assert asked == ["4 tokens", "2 tokens", "3 tokens", "5 tokens", "6 tokens", "15 tokens"], "each once"
    assert found.collect(3, [])[0] == []


def test_the_staleness_cap_gives_all_that_is_left(tiny: Tiny, asked: list[str]) -> None:
    script = Script({A.question: [3, 19]})
    found = experience(tiny, script, max_staleness=1)
    assert found.collect(0, [A])[0] == []
    (group,), figures, drawn = found.collect(1, [])
    assert (figures["staleness/forced"], drawn) == (1, 13)
    assert group.right_K == [True, True]
    assert len(asked) == 2


def test_endings_that_are_none_are_not_read_and_have_no_reward(tiny: Tiny, asked: list[str]) -> None:
    """One stops, one reaches the limit of 20; then one repeats itself at 10 tokens."""
    script = Script({A.question: [3, 40], B.question: [3, 12]})
    found = experience(tiny, script, segment_tokens=None, repeat_penalty=0.5)
    (group,), _, _ = found.collect(0, [A])
    assert asked == ["3 tokens"]
    assert group.reward_K.tolist() == [1, 0]
    assert group.verdicts[1].reason == "no end within 20 tokens"
    script.repeats_at = 10
    (group,), _, _ = found.collect(1, [B])
    assert asked == ["3 tokens", "3 tokens"]
    assert group.reward_K.tolist() == [1, -0.5]


def test_the_length_reward_is_that_of_the_iteration_of_the_hand_over(tiny: Tiny, asked: list[str]) -> None:
    script = Script({A.question: [4, 8]})
    found = experience(tiny, script, {"length_weight": 0.4, "length_from": 1})
    found.collect(0, [A])
    (group,), _, _ = found.collect(1, [])
    assert group.reward_K.tolist() == pytest.approx([1.2, 0.8])
    assert asked == ["4 tokens", "8 tokens"]


def test_streams_differ_by_problem_member_and_iteration(tiny: Tiny, asked: list[str]) -> None:
    script = Script({A.question: [15, 15, 15, 15], B.question: [15, 15]})
    found = experience(tiny, script, {"prompts": 4})
    found.collect(0, [A, B])
    found.collect(1, [A])
    found.collect(2, [])
    seeds = [request.seed for call in script.calls for request in call]
    assert len(set(seeds)) == len(seeds) == 4 + 6 + 6
    again = Script({A.question: [15, 15], B.question: [15, 15]})
    experience(tiny, again, {"prompts": 4}).collect(0, [B, A])
    assert {request.seed for request in again.calls[0]} == set(seeds[:4]), "whatever the order"
    assert asked


def test_sampling_is_that_of_the_parameters(tiny: Tiny, asked: list[str]) -> None:
    script = Script({A.question: [2, 2]})
    rule = {"max_period": 5, "repeats": 3, "min_tokens": 9, "distinct": 1, "plain_tokens": 9}
    experience(tiny, script, {"temperature": 0.7}, repetition=rule).collect(0, [A])
    (sampling,) = script.samplings
    assert (sampling.temperature, sampling.top_p, sampling.repetition) == (0.7, 1.0, Repetition(5, 3, 9, 1, 9))
    assert asked


def test_pictures_travel_with_the_response(tiny: Tiny, asked: list[str]) -> None:
    """Also into a run that was stopped: they are read again from the problem's file."""
    pictured: CuratedProblem = tiny.curated()[9]
    assert pictured.image
    script = Script({pictured.question: [3, 9]})
    found = experience(tiny, script)
    found.collect(0, [pictured])
    state = found.state()
    for continued in (found, experience(tiny, script)):
        continued.restore(state, [A, pictured])
        assert [name_of(member) for member in continued.buffer.unfinished()] == [(0, pictured.id, 1)]
        (group,), _, _ = continued.collect(1, [])
        (request,) = script.calls[-1]
        (expected,) = tiny.renderer().render([Prompt(pictured.question, pictured.image)])
        assert request.prompt.image == pictured.image
        assert request.rendered.token_ids == expected.token_ids
        assert request.rendered.pixels["pixel_values"].equal(expected.pixels["pixel_values"])
        assert group.right_K == [True, True]
    assert asked == ["3 tokens", "9 tokens", "9 tokens"], "the verdict on the finished one is saved with it"


def test_without_requests_the_engine_is_called_for_other_ranks(tiny: Tiny) -> None:
    script = Script({})
    groups, figures, drawn = experience(tiny, script).collect(0, [])
    assert (groups, drawn, script.calls, figures["cut"]) == ([], 0, [[]], 0)
