"""Shortest right samples, preference pairs, and the DPO loss."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import problem

from stages.data.records import Sample, SampleGroup
from stages.long2short.preference import dpo_loss, dpo_weights, nll_loss, pairs
from stages.long2short.shortest import demonstrations, shortest_right

CASES = [json.loads(line) for line in (Path(__file__).parents[1] / "cases/preference_pairs.jsonl").read_text().splitlines()]
OUTCOMES = {"R": "right", "W": "wrong", "E": "error"}


def sample(code: str, place: int = 0) -> Sample:
    """ "R10" is a right sample of 10 tokens, "Wl20" a wrong one of 20 that was cut."""
    outcome, cut, length = re.fullmatch(r"([RWE])(l?)(\d+)", code).groups()
    return Sample(
        problem_id="p0",
        text=f"{code}#{place}",
        token_ids=[place + 1] * int(length),
        logprobs=[-1.0] * int(length),
        finish="length" if cut else "stop",
        outcome=OUTCOMES[outcome],
        reason="",
    )


def group(codes: str, number: int = 0) -> SampleGroup:
    return SampleGroup(problem=problem(number), samples=[sample(code, place) for place, code in enumerate(codes.split())])


def code(found: Sample) -> str:
    return found.text.split("#")[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_golden_pairs(case: dict[str, Any]) -> None:
    found = pairs([group(case["samples"])], case["ratio"], case["cap"])
    assert [[code(pair.chosen), code(pair.rejected)] for pair in found] == case["pairs"], case["why"]
    assert all(pair.chosen.text != pair.rejected.text for pair in found)


def test_no_problem_has_more_than_its_share() -> None:
    found = pairs([group("R1 W2 W3 W4", 0), group("R5 W9", 1)], 1.5, 2)
    assert [(pair.group.problem.id, code(pair.rejected)) for pair in found] == [("p0", "W4"), ("p0", "W3"), ("p1", "W9")]


@pytest.mark.parametrize(
    "samples, shortest",
    [("R30 R10 R20", "R10"), ("R30 W10", "R30"), ("W1 E2", None), ("Rl10 R20", "R20"), ("Rl10", None), ("R10 R10", "R10")],
)
def test_the_shortest_right_sample(samples: str, shortest: str | None) -> None:
    found = shortest_right(group(samples).samples)
    assert (code(found) if found else None) == shortest
    if samples == "R10 R10":
        assert found.text.endswith("#0"), "of equals the first"


def test_demonstrations_keep_the_sampled_ids() -> None:
    (found,) = demonstrations([group("R30 R3"), group("W1", 1)], 1.0)
    assert (found.id, found.problem_id, found.response, found.response_ids) == ("p0-shortest", "p0", "R3#1", [2, 2, 2])
    assert found.form == "short"


@pytest.mark.parametrize(
    "samples, saves",
    [
        ("R10", False),  # 10 / 10
        ("R10 R10 R10", False),
        ("R10 R11 R12", False),  # 11 / 10
        ("R10 R14", True),  # 12 / 10, exactly the ratio
        ("R10 R10 R18", True),  # 12.67 / 10
        ("R10 R10 W99", False),  # wrong ones are no measure
    ],
)
def test_only_what_saves_tokens_is_imitated(samples: str, saves: bool) -> None:
    assert len(demonstrations([group(samples)], 1.2)) == saves
    assert len(demonstrations([group(samples)], 1.0)) == 1, "1.0 keeps every problem that was solved"


def test_the_chosen_ones_nll_is_a_token_mean() -> None:
    # -(-6)/3 = 2, -(-1)/4 = 0.25
    assert nll_loss(torch.tensor([-6.0, -1.0]), torch.tensor([3, 4])).tolist() == [2.0, 0.25]


def test_the_loss_by_hand() -> None:
    # margin 0: log 2; beta 0.1, margin 10: -log sigmoid(1) = log(1 + 1/e) = 0.31326; margin -10: that plus 1
    found = dpo_loss(torch.tensor([0.0, 10.0, -10.0], dtype=torch.float64), 0.1)
    assert found.tolist() == pytest.approx([0.693147, 0.313262, 1.313262], abs=1e-6)
    # derivatives: -0.1 * 0.5, -0.1 * sigmoid(-1), -0.1 * sigmoid(1)
    weights = dpo_weights(torch.tensor([0.0, 10.0, -10.0], dtype=torch.float64), 0.1)
    assert weights.tolist() == pytest.approx([-0.05, -0.0268941, -0.0731059], abs=1e-7)


def test_the_weights_are_the_derivative_of_the_loss() -> None:
    margin = torch.linspace(-80, 80, 33, dtype=torch.float64, requires_grad=True)
    dpo_loss(margin, 0.3).sum().backward()
    torch.testing.assert_close(dpo_weights(margin.detach(), 0.3), margin.grad)


def test_margins_far_out_stay_finite() -> None:
    far = torch.tensor([-1e4, 1e4])
    assert torch.isfinite(dpo_loss(far, 1.0)).all()
    assert dpo_weights(far, 1.0).tolist() == [-1.0, 0.0]
