"""Iterations of the policy on the tiny model: it learns what the reward asks for, and reports what happened."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from tiny import CPU, Tiny, hardware, largest_gap, partial_rollouts, problem, reinforcement, weights

from stages.data.records import CuratedProblem, Rollout, Segment
from stages.models.finite import NotFiniteError, not_finite
from stages.policy import experience as module
from stages.policy import learner as module_of_loss
from stages.policy.experience import Experience
from stages.policy.iteration import score
from stages.policy.learner import Learner
from stages.policy.lessons import lessons_of
from stages.policy.mirror_descent import ADVANTAGES, mirror_descent_loss
from stages.policy.validation import askable, validate
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.sections import Loss
from stages.training.batches import pack
from stages.training.engine import start
from stages.training.log_probs import TokenLogProbs
from stages.verifiers.claims import Claim, Verdict

PARTIAL = ("segment_tokens", "max_staleness", "mask_stale", "repeat_penalty", "repetition")


def learner(tiny: Tiny, **changed: Any) -> Learner:
    allowed = changed.pop("bad_steps", 0)
    loss = Loss(variants=changed.pop("variants", []), drop_negatives=0.0)
    rollouts = partial_rollouts(**{name: changed.pop(name) for name in PARTIAL if name in changed})
    rl = reinforcement(
        **{"prompts": 4, "samples": 4, "max_tokens": 6, "mini_batch": 8, "warmup_steps": 0, "train_zero_signal": True, **changed}
    )
    trainer = start(tiny.model(), hardware(), CPU, rl.grad_clip, rl.temperature, bad_steps=allowed)
    engine = TransformersEngine(trainer.model, tiny.renderer(), 64)
    return Learner(trainer, Experience(engine, engine.renderer, rl, rollouts, hardware(), seed=11, loss=loss))


@pytest.fixture
def rewards_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that finds every response right that begins with a letter, and asks for no end: random weights end none."""

    def judge(items: Sequence[Claim], *_: Any) -> list[Verdict]:
        return [Verdict("right" if item.response[:1].isalpha() else "wrong", None, "") for item in items]

    monkeypatch.setattr(module, "verify_all", judge)
    monkeypatch.setattr(module, "without_end", lambda _: None)


@pytest.mark.usefixtures("rewards_a_token")
def test_the_mean_reward_rises(tiny: Tiny) -> None:
    found = learner(tiny, samples=16, max_tokens=1, mini_batch=32, learning_rate=1e-2, tau=0.05, passes=2)
    problems = [tiny.curated()[place] for place in (0, 3, 9, 12)]
    rewards = []
    for iteration in range(6):
        rates, figures, speeds = found.iterate(iteration, problems)
        rewards.append(figures["reward"])
        assert list(rates) == [p.id for p in problems]
        assert figures["accuracy"] == pytest.approx(sum(rates.values()) / 4)
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
def test_a_step_that_is_not_finite_is_left_out(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first of two steps of an iteration: the other is taken, the figures are those of the other, the engine gets finite
    weights. With two bad ones, and one allowed, the problems of the second are named."""
    usual, calls, faulty = module_of_loss.mirror_descent_loss, [], {0}

    def loss(*given: Any) -> torch.Tensor:
        calls.append(given)
        return usual(*given) * (float("nan") if len(calls) - 1 in faulty else 1.0)

    monkeypatch.setattr(module_of_loss, "mirror_descent_loss", loss)
    found = learner(tiny, learning_rate=1e-3, passes=1, bad_steps=1)
    before = weights(found.trainer.model)
    problems = tiny.curated()[8:12]
    _, figures, _ = found.iterate(0, problems)
    assert len(calls) == 2, "one micro-batch in each of two steps"
    told = capsys.readouterr().out
    assert "iteration 0, step 0: left out, the loss is nan" in told
    assert any(one.id in told for one in problems)
    assert figures["steps_left_out"] == 1
    assert "entropy" not in figures, "of the first step only"
    assert all(math.isfinite(value) for value in figures.values())
    after = weights(found.trainer.model)
    assert largest_gap(before, after) > 0
    assert not not_finite(after.items())
    faulty |= {2, 3}
    with pytest.raises(NotFiniteError, match=r"in 2 steps in a row .*; samples of the step: "):
        found.iterate(1, problems)


@pytest.mark.usefixtures("rewards_a_token")
def test_engine_and_trainer_agree_on_probabilities(tiny: Tiny) -> None:
    found = learner(tiny, learning_rate=1e-3, temperature=0.8)
    _, figures, _ = found.iterate(0, tiny.curated()[8:11])
    assert abs(figures["kl_rollout_trainer"]) < 1e-4
    assert 1.0 <= figures["ratio_max"] < 1.001


def made(p: CuratedProblem, number: int, *segments: tuple[int, int], finish: str = "stop") -> Rollout:
    """A response of (iteration, tokens) segments whose tokens are made up."""
    found, token = [], 30 + number
    for iteration, count in segments:
        found.append(Segment(iteration=iteration, token_ids=list(range(token, token + count)), logprobs=[-5.0] * count))
        token += count
    return Rollout(problem_id=p.id, begun=segments[0][0], member=number, segments=found, finish=finish)


def responses(tiny: Tiny, found: Learner) -> tuple[list[Any], list[Any]]:
    """Groups of made-up responses to a text and a picture, with the samples that training makes of them."""
    groups = []
    for place in (0, 9):
        p = tiny.curated()[place]
        members = [made(p, n, (0, 4 + n)) for n in range(4)]
        outcomes = ["right", "wrong", "wrong", "error"] if place else ["right", "right", "wrong", "wrong"]
        groups.append(score(p, members, [Verdict(outcome, None, "") for outcome in outcomes], 0.0))
    return groups, found._samples(lessons_of(groups, 0, False))


def plain_steps(
    plain: Any,
    samples: Sequence[Any],
    rates: Sequence[float],
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    kept: Sequence[slice] | None = None,
) -> list[float]:
    """The losses of one step of plain torch at each of `rates`: AdamW on `loss_of` the log-probs of the responses (of their tokens
    `kept`), now and at the first step."""
    optimizer = torch.optim.AdamW(plain.parameters(), betas=(0.9, 0.95), weight_decay=0.0)
    reference, losses = None, []
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        values = [TokenLogProbs(plain)(pack([sample], 1000, 0)[0])[0] for sample in samples]
        places = kept or [slice(None)] * len(values)
        logp = torch.stack([value[place].sum() for value, place in zip(values, places, strict=False)])
        reference = logp.detach() if reference is None else reference
        loss = loss_of(logp, reference)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_the_steps_are_those_of_the_loss_by_plain_torch(tiny: Tiny) -> None:
    """Two passes over one mini-batch: REINFORCE with a baseline, then with the penalty against the start of the iteration."""
    tau, rate = 0.3, 1e-3
    found = learner(tiny, mini_batch=100, passes=2, tau=tau, learning_rate=rate, warmup_steps=1, grad_clip=1e9)
    groups, samples = responses(tiny, found)
    steps, _ = found.improve(0, groups)

    plain = tiny.model().train()
    advantage = torch.tensor([0.5, 0.5, -0.5, -0.5, 0.75, -0.25, -0.25, -0.25])
    losses = plain_steps(plain, samples, [rate / 2, rate], lambda logp, start: mirror_descent_loss(logp, start, advantage, tau) / 8)
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


def test_the_optimizer_may_be_kept(tiny: Tiny) -> None:
    """keep_optimizer: the second iteration goes on with the moments of the first, and without a warm-up of its own. By plain torch,
    whose optimizer nobody resets: two iterations of one mini-batch, each against its own reference."""
    tau, rate = 0.3, 1e-3
    options = {"mini_batch": 100, "passes": 1, "tau": tau, "learning_rate": rate, "warmup_steps": 1, "grad_clip": 1e9}
    found = learner(tiny, variants=["keep_optimizer"], **options)
    groups, samples = responses(tiny, found)
    steps = [found.improve(iteration, groups)[0][0] for iteration in range(2)]

    plain = tiny.model().train()
    advantage = torch.tensor([0.5, 0.5, -0.5, -0.5, 0.75, -0.25, -0.25, -0.25])
    losses = plain_steps(
        plain, samples, [rate / 2, rate], lambda logp, _: mirror_descent_loss(logp, logp.detach(), advantage, tau) / 8
    )
    assert [step.loss for step in steps] == pytest.approx(losses, rel=1e-4, abs=1e-4)
    assert largest_gap(weights(found.trainer.model), weights(plain)) < 5e-6
    reset = learner(tiny, **options)
    for iteration in range(2):
        reset.improve(iteration, groups)
    assert largest_gap(weights(found.trainer.model), weights(reset.trainer.model)) > 1e-4


def test_rest_fits_the_right_responses_and_leaves_the_wrong_ones_alone(tiny: Tiny) -> None:
    """Two passes by plain torch: the mean negative log-likelihood of the three right ones of eight, no baseline, no tau term,
    though the second pass is away from the reference; a group that was solved throughout is fitted, too."""
    rate = 1e-3
    found = learner(
        tiny, variants=["rest"], mini_batch=100, passes=2, tau=5.0, learning_rate=rate, grad_clip=1e9, train_zero_signal=False
    )
    groups, samples = responses(tiny, found)
    right = [samples[place] for place in (0, 1, 4)]
    groups = [
        score(group.problem, group.members, group.verdicts, 0.0, 0.0, lambda reward: ADVANTAGES["rest"](reward, 5.0))
        for group in groups
    ]
    steps, _ = found.improve(0, groups)

    plain = tiny.model().train()
    losses = plain_steps(plain, right, [rate, rate], lambda logp, _: -logp.mean())
    assert [step.loss for step in steps] == pytest.approx(losses, rel=1e-4, abs=1e-4)
    assert largest_gap(weights(found.trainer.model), weights(plain)) < 5e-6
    none = [score(groups[0].problem, groups[0].members, [Verdict("wrong", None, "")] * 4, 0.0)]
    assert found.improve(1, none) == ([], {}), "nothing is right: nothing is fitted"


def test_groups_without_signal_may_be_left_out(tiny: Tiny) -> None:
    found = learner(tiny, train_zero_signal=False, mini_batch=4, passes=1)
    groups, _ = responses(tiny, found)
    same = score(groups[0].problem, groups[0].members, [Verdict("right", None, "")] * 4, 0.0)
    steps, _ = found.improve(0, [same, groups[1]])
    assert len(steps) == 1, "four responses of one group; with both it were two mini-batches"
    assert found.improve(0, [same, same]) == ([], {}), "nothing to learn from"
    kept = learner(tiny, train_zero_signal=True, mini_batch=4, passes=1)
    assert len(kept.improve(0, [same, groups[1]])[0]) == 2


def test_an_iteration_in_which_nothing_can_be_learned(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "verify_all", lambda items, *_: [Verdict("wrong", None, "")] * len(items))
    found = learner(tiny, train_zero_signal=False, learning_rate=1e-2)
    before = weights(found.trainer.model)
    _, figures, _ = found.iterate(0, tiny.curated()[:2])
    assert figures["zero_signal"] == 1.0
    assert figures["reward"] == 0.0
    assert largest_gap(before, weights(found.trainer.model)) == 0


def stale_group(tiny: Tiny) -> Any:
    """Three responses handed over in iteration 2: one drawn in it, one half of it, one ended before."""
    p = tiny.curated()[0]
    members = [made(p, 0, (2, 5)), made(p, 1, (1, 3), (2, 4)), made(p, 2, (0, 3), (1, 2))]
    return score(p, members, [Verdict(outcome, None, "") for outcome in ("wrong", "right", "wrong")], 0.0)


@pytest.mark.parametrize("masked", [False, True])
def test_the_mask_follows_the_iteration_of_each_token(tiny: Tiny, masked: bool) -> None:
    """The update by plain torch: with the mask on only the tokens of iteration 2 count, in the loss and in rho; the divisor and the
    baseline are those of all three responses."""
    tau, rate, group = 0.3, 1e-3, stale_group(tiny)
    found = learner(tiny, mask_stale=masked, mini_batch=100, passes=2, tau=tau, learning_rate=rate, grad_clip=1e9)
    steps, figures = found.improve(2, [group])

    plain = tiny.model().train()
    samples = found._samples(lessons_of([group], 2, False))
    kept = [slice(0, 5), slice(3, 7)] if masked else [slice(0, 5), slice(0, 7), slice(0, 5)]
    advantage = torch.tensor([-1 / 3, 2 / 3, -1 / 3])[: len(kept)]
    losses = plain_steps(
        plain, samples, [rate, rate], lambda logp, start: mirror_descent_loss(logp, start, advantage, tau) / 3, kept
    )
    assert [step.loss for step in steps] == pytest.approx(losses, rel=1e-4, abs=1e-4)
    # of steps of 1e-3: the learner's packed rows are masked, those of plain torch are not, and AdamW enlarges what rounding does
    assert largest_gap(weights(found.trainer.model), weights(plain)) < 1e-4
    shares = [1, 0, 0, 0] if masked else [9 / 17, 5 / 17, 3 / 17, 0]
    assert [figures[f"staleness/{age}"] for age in ("0", "1", "2", "3+")] == pytest.approx(shares)


def test_a_masked_iteration_may_learn_from_one_response_of_a_group(tiny: Tiny) -> None:
    """The others carry no loss at all: nothing of them reaches the packed batches."""
    p = tiny.curated()[9]
    members = [made(p, 0, (0, 3)), made(p, 1, (0, 3), (1, 2))]
    group = score(p, members, [Verdict("right", None, ""), Verdict("wrong", None, "")], 0.0)
    found = learner(tiny, mask_stale=True, mini_batch=1, passes=1, learning_rate=1e-3)
    steps, _ = found.improve(1, [group])
    assert len(steps) == 1
    assert steps[0].grad_norm > 0


def test_mismatch_is_of_the_tokens_that_the_same_weights_drew(tiny: Tiny) -> None:
    """The made-up log-probability -5 of every token is far off; older tokens, whose weights are gone, do not count."""
    p = tiny.curated()[0]
    found = learner(tiny, learning_rate=1e-12)

    def gap(*segments: tuple[int, int]) -> float:
        group = score(p, [made(p, n, *segments) for n in range(2)], [Verdict(o, None, "") for o in ("right", "wrong")], 0.0)
        return found.improve(2, [group])[1].get("kl_rollout_trainer", 0.0)

    lessons = lessons_of(
        [score(p, [made(p, n, (1, 4), (2, 3)) for n in range(2)], [Verdict("right", None, "")] * 2, 0.0)], 2, False
    )
    samples = found._samples(lessons)
    logp = [TokenLogProbs(tiny.model())(pack([sample], 1000, 0)[0])[0] for sample in samples]
    expected = -5.0 - float(torch.cat([values[4:] for values in logp]).detach().mean())
    assert gap((1, 4), (2, 3)) == pytest.approx(expected, abs=1e-4)
    assert gap((0, 4), (1, 3)) == 0.0, "no token of this iteration: no figure"


@pytest.mark.usefixtures("rewards_a_token")
def test_an_iteration_that_hands_over_nothing_takes_no_step(tiny: Tiny) -> None:
    found = learner(tiny, segment_tokens=4, max_tokens=9, learning_rate=1e-2)
    before = weights(found.trainer.model)
    rates, figures, _ = found.iterate(0, tiny.curated()[8:11])
    assert rates == {}
    assert figures["groups"] == 0
    assert figures["buffer/responses"] >= 9, "random weights end few responses"
    assert figures["cut"] == figures["buffer/responses"] / 12
    assert not {"loss", "reward", "kl_rollout_trainer"} & figures.keys()
    assert largest_gap(before, weights(found.trainer.model)) == 0
    assert found.experience.room == 1
    found.iterate(1, tiny.curated()[:1])
    rates, figures, _ = found.iterate(2, [])
    assert set(rates) <= {p.id for p in tiny.curated()[8:11]}
    assert rates
    assert 4 < figures["mean_tokens"] <= 9
    assert 0 < figures["staleness/0"] < 0.3, "the last of nine tokens"
    assert 0.4 < figures["staleness/2"] < 0.7, "the first four"
    assert abs(figures["kl_rollout_trainer"]) < 1e-4
    assert largest_gap(before, weights(found.trainer.model)) > 1e-4 or figures["zero_signal"] == 1.0


def test_validation_counts_by_family(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.policy import validation

    found = learner(tiny)
    problems: list[CuratedProblem] = [problem(n, family="sums" if n < 3 else "more") for n in range(4)]
    outcomes = iter(["right", "wrong", "error", "right"])
    monkeypatch.setattr(validation, "verify_all", lambda items, *_, **__: [Verdict(next(outcomes), None, "") for _ in items])
    figures = validate(found.experience.engine, problems, found.rl, found.hardware, seed=1)
    assert figures["validation_accuracy"] == 0.5
    assert figures["validation/sums/accuracy"] == pytest.approx(1 / 3)
    assert figures["validation/more/accuracy"] == 1.0
    assert 1 <= figures["validation_mean_tokens"] <= figures["validation_p95_tokens"] <= 6
    assert validate(found.experience.engine, [], found.rl, found.hardware, seed=1) == {}


def test_validation_leaves_out_what_cannot_be_asked(tiny: Tiny) -> None:
    long = problem(1, question="Why? " * 200)
    kept, left_out = askable(tiny.renderer(128), [problem(0), long, problem(2)])
    assert [row.id for row in kept] == ["p0", "p2"]
    assert len(left_out) == 1
    assert left_out[0].startswith("left out p1: a prompt of ")
    assert left_out[0].endswith(" tokens, model.context = 128")
