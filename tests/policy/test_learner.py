"""Iterations of the policy on the tiny model: it learns what the reward asks for, and reports what happened."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tiny import CPU, Tiny, hardware, largest_gap, problem, reinforcement, weights

from stages.data.records import CuratedProblem
from stages.policy import learner as module
from stages.policy.iteration import score
from stages.policy.learner import Learner
from stages.policy.mirror_descent import mirror_descent_loss
from stages.policy.validation import askable, validate
from stages.prompts.prompt import Prompt
from stages.rollout.engine import Completion
from stages.rollout.transformers_engine import TransformersEngine
from stages.training.batches import pack
from stages.training.engine import start
from stages.training.log_probs import TokenLogProbs
from stages.verifiers.verdict import Verdict


def learner(tiny: Tiny, **changed: Any) -> Learner:
    rl = reinforcement(
        **{"prompts": 4, "samples": 4, "max_tokens": 6, "mini_batch": 8, "warmup_steps": 0, "train_zero_signal": True, **changed}
    )
    trainer = start(tiny.model(), hardware(), CPU, rl.grad_clip, rl.temperature)
    return Learner(trainer, TransformersEngine(trainer.model, tiny.renderer(), 64), rl, hardware(), seed=11)


@pytest.fixture
def rewards_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that finds every response right that begins with a letter."""

    def judge(items: Sequence[tuple[str, str, str]], _: int) -> list[Verdict]:
        return [Verdict("right" if text[:1].isalpha() else "wrong", None, "") for _, _, text in items]

    monkeypatch.setattr(module, "verify_all", judge)


@pytest.mark.usefixtures("rewards_a_token")
def test_the_mean_reward_rises(tiny: Tiny) -> None:
    found = learner(tiny, samples=16, max_tokens=1, mini_batch=32, learning_rate=1e-2, tau=0.05, passes=2)
    problems = [tiny.curated()[place] for place in (0, 3, 9, 12)]
    rewards = []
    for iteration in range(6):
        rates, figures, speeds = found.iterate(iteration, problems)
        rewards.append(figures["reward"])
        assert [name for name, _ in rates] == [p.id for p in problems]
        assert figures["accuracy"] == pytest.approx(sum(rate for _, rate in rates) / 4)
        assert all(value > 0 for value in speeds.values())
    assert rewards[0] < 0.5
    assert rewards[-1] > rewards[0] + 0.3, rewards


@pytest.mark.usefixtures("rewards_a_token")
def test_an_iteration_repeats_bit_by_bit(tiny: Tiny) -> None:
    ends = []
    for _ in range(2):
        found = learner(tiny, learning_rate=1e-3)
        rates, figures, _ = found.iterate(0, tiny.curated()[8:11])
        ends.append((rates, figures, weights(found.trainer.model)))
        torch.manual_seed(123)
    assert ends[0][:2] == ends[1][:2]
    assert largest_gap(ends[0][2], ends[1][2]) == 0


@pytest.mark.usefixtures("rewards_a_token")
def test_engine_and_trainer_agree_on_probabilities(tiny: Tiny) -> None:
    found = learner(tiny, learning_rate=1e-3, temperature=0.8)
    _, figures, _ = found.iterate(0, tiny.curated()[8:11])
    assert abs(figures["kl_rollout_trainer"]) < 1e-4
    assert 1.0 <= figures["ratio_max"] < 1.001


def responses(tiny: Tiny, found: Learner) -> tuple[list[Any], list[Any]]:
    """Groups of made-up responses to a text and a picture, with the samples that training makes of them."""
    groups = []
    for place in (0, 9):
        p = tiny.curated()[place]
        (prompt,) = found.engine.renderer.render([Prompt(p.question, p.image)])
        completions = [Completion("", tuple(range(30 + n, 34 + 2 * n)), (-5.0,) * (4 + n), "stop") for n in range(4)]
        outcomes = ["right", "wrong", "wrong", "error"] if place else ["right", "right", "wrong", "wrong"]
        groups.append(score(p, prompt, completions, [Verdict(outcome, None, "") for outcome in outcomes], 0.0))
    return groups, [found._sample(group, completion) for group in groups for completion in group.completions]


def test_the_steps_are_those_of_the_loss_by_plain_torch(tiny: Tiny) -> None:
    """Two passes over one mini-batch: REINFORCE with a baseline, then with the penalty against the start of the iteration."""
    tau, rate = 0.3, 1e-3
    found = learner(tiny, mini_batch=100, passes=2, tau=tau, learning_rate=rate, warmup_steps=1, grad_clip=1e9)
    groups, samples = responses(tiny, found)
    steps, _ = found.improve(0, groups)

    plain = tiny.model().train()
    optimizer = torch.optim.AdamW(plain.parameters(), betas=(0.9, 0.95), weight_decay=0.0)
    advantage = torch.tensor([0.5, 0.5, -0.5, -0.5, 0.75, -0.25, -0.25, -0.25])
    reference, losses = None, []
    for step in range(2):
        for group in optimizer.param_groups:
            group["lr"] = rate * (step + 1) / 2
        logp = torch.stack([TokenLogProbs(plain)(pack([sample], 1000, 1, 0)[0])[0].sum() for sample in samples])
        reference = logp.detach() if reference is None else reference
        loss = mirror_descent_loss(logp, reference, advantage, tau) / 8
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert [step.loss for step in steps] == pytest.approx(losses, rel=1e-4, abs=1e-4)
    assert largest_gap(weights(found.trainer.model), weights(plain)) < 5e-6


def test_each_iteration_starts_afresh(tiny: Tiny) -> None:
    """The second iteration is that of a new learner which was given the weights: the reference has moved, and no moment, no
    count of steps and no warm-up of the first is left (§2.3.2)."""
    options = {"mini_batch": 4, "passes": 1, "learning_rate": 1e-3, "warmup_steps": 2, "tau": 0.5}
    found, fresh = learner(tiny, **options), learner(tiny, **options)
    groups, _ = responses(tiny, found)
    found.improve(0, groups)
    fresh.trainer.model.load_state_dict(found.trainer.model.state_dict())
    first, _ = found.improve(1, groups)
    second, _ = fresh.improve(1, groups)
    assert [step.loss for step in first] == [step.loss for step in second]
    assert largest_gap(weights(found.trainer.model), weights(fresh.trainer.model)) < 1e-6


def test_groups_without_signal_may_be_left_out(tiny: Tiny) -> None:
    found = learner(tiny, train_zero_signal=False, mini_batch=4, passes=1)
    groups, _ = responses(tiny, found)
    same = score(groups[0].problem, groups[0].prompt, groups[0].completions, [Verdict("right", None, "")] * 4, 0.0)
    steps, _ = found.improve(0, [same, groups[1]])
    assert len(steps) == 1, "four responses of one group; with both it were two mini-batches"
    assert found.improve(0, [same, same]) == ([], {}), "nothing to learn from"
    kept = learner(tiny, train_zero_signal=True, mini_batch=4, passes=1)
    assert len(kept.improve(0, [same, groups[1]])[0]) == 2


def test_an_iteration_in_which_nothing_can_be_learned(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "verify_all", lambda items, _: [Verdict("wrong", None, "")] * len(items))
    found = learner(tiny, train_zero_signal=False, learning_rate=1e-2)
    before = weights(found.trainer.model)
    _, figures, _ = found.iterate(0, tiny.curated()[:2])
    assert figures["zero_signal"] == 1.0
    assert figures["reward"] == 0.0
    assert largest_gap(before, weights(found.trainer.model)) == 0


@pytest.mark.usefixtures("rewards_a_token")
def test_the_length_reward_is_switched_on(tiny: Tiny) -> None:
    found = learner(tiny, max_tokens=12, length_weight=0.5, length_from=3)
    problems = tiny.curated()[:3]
    early, late = found.roll_out(2, problems), found.roll_out(3, problems)
    for group in early:
        assert group.reward_K.tolist() == [float(hit) for hit in group.right_K]
    for group in late:
        expected = torch.tensor(group.right_K, dtype=torch.float32) + 0.5 * group.length_reward_K
        assert torch.equal(group.reward_K, expected)
    assert any(float(group.length_reward_K.abs().sum()) > 0 for group in late)


def test_validation_counts_by_family(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.policy import validation

    found = learner(tiny)
    problems: list[CuratedProblem] = [problem(n, family="sums" if n < 3 else "more") for n in range(4)]
    outcomes = iter(["right", "wrong", "error", "right"])
    monkeypatch.setattr(validation, "verify_all", lambda items, _: [Verdict(next(outcomes), None, "") for _ in items])
    figures = validate(found.engine, problems, found.rl, found.hardware, seed=1)
    assert figures["validation_accuracy"] == 0.5
    assert figures["validation/sums/accuracy"] == pytest.approx(1 / 3)
    assert figures["validation/more/accuracy"] == 1.0
    assert 1 <= figures["validation_mean_tokens"] <= figures["validation_p95_tokens"] <= 6
    assert validate(found.engine, [], found.rl, found.hardware, seed=1) == {}


def test_validation_leaves_out_what_cannot_be_asked(tiny: Tiny) -> None:
    long = problem(1, question="Why? " * 200)
    kept, left_out = askable(tiny.renderer(128), [problem(0), long, problem(2)])
    assert [row.id for row in kept] == ["p0", "p2"]
    assert len(left_out) == 1
    assert left_out[0].startswith("left out p1: a prompt of ")
    assert left_out[0].endswith(" tokens, model.context = 128")
