"""The loss of eq. 3 against numbers worked by hand, finite differences, the printed gradient and the squared loss."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.policy.mirror_descent import (
    ADVANTAGES,
    advantages,
    fitted,
    kept,
    log_partition,
    log_partition_advantages,
    mirror_descent_loss,
    token_level_loss,
)


def test_advantages_are_rewards_less_their_mean() -> None:
    # rewards 1, 0, 0, 1: mean 0.5
    assert advantages(torch.tensor([1.0, 0.0, 0.0, 1.0])).tolist() == [0.5, -0.5, -0.5, 0.5]
    # rewards 1, 0, 0: mean 1/3, no leave-one-out, no division by a deviation
    assert advantages(torch.tensor([1.0, 0.0, 0.0])).tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3])
    assert advantages(torch.tensor([1.0, 1.0])).tolist() == [0.0, 0.0]


def test_rest_fits_what_is_right() -> None:
    assert fitted(torch.tensor([1.0, 0.0, 0.0, 1.0])).tolist() == [1.0, 0.0, 0.0, 1.0]
    # with a length reward of weight 0.4: right and longest 1 - 0.2, wrong and shortest 0
    assert fitted(torch.tensor([0.8, 0.0, 1.2, -0.2])).tolist() == [1.0, 0.0, 1.0, 0.0]


def test_the_loss_by_hand() -> None:
    # response 1: A = 0.5, log pi = -3, log pi_i = -4, rho = 1: -0.5 * -3 + 0.1 / 2 * 1 = 1.55
    # response 2: A = -0.5, log pi = -7, log pi_i = -5, rho = -2: 0.5 * -7 + 0.1 / 2 * 4 = -3.3
    loss = mirror_descent_loss(torch.tensor([-3.0, -7.0]), torch.tensor([-4.0, -5.0]), torch.tensor([0.5, -0.5]), tau=0.1)
    assert loss.item() == pytest.approx(1.55 - 3.3)


def test_at_the_reference_it_is_reinforce_with_a_mean_baseline() -> None:
    logp = torch.tensor([-3.0, -7.0], requires_grad=True)
    mirror_descent_loss(logp, logp.detach().clone(), torch.tensor([0.5, -0.5]), tau=0.1).backward()
    assert logp.grad.tolist() == [-0.5, 0.5]


def random_case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 11, generator=generator, dtype=torch.float64)
    reference = torch.log_softmax(logits + 0.3 * torch.randn(5, 11, generator=generator, dtype=torch.float64), -1)[:, 0]
    return logits, reference, torch.randn(5, generator=generator, dtype=torch.float64)


def test_the_gradient_is_eq_3_with_the_sign_turned() -> None:
    """Eq. 3 as printed: grad log pi (r - mean r) - tau/2 grad (log pi / pi_i)^2, here with autograd for each term alone."""
    tau = 0.7
    logits, reference, advantage = random_case()
    ours = logits.clone().requires_grad_()
    mirror_descent_loss(torch.log_softmax(ours, -1)[:, 0], reference, advantage, tau).backward()
    printed = torch.zeros_like(logits)
    for j in range(5):
        for term in ("policy", "penalty"):
            theirs = logits.clone().requires_grad_()
            logp = torch.log_softmax(theirs, -1)[j, 0]
            (logp if term == "policy" else (logp - reference[j]) ** 2).backward()
            printed += theirs.grad * (advantage[j] if term == "policy" else -tau / 2)
    torch.testing.assert_close(ours.grad, -printed, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tau", [0.01, 0.1, 4.0])
def test_the_gradient_is_that_of_the_squared_loss_over_two_tau(tau: float) -> None:
    """(A - tau rho)^2 / (2 tau) has the same gradient: the squared surrogate of §2.3.2 differs by this factor only."""
    logits, reference, advantage = random_case()
    ours, squared = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    mirror_descent_loss(torch.log_softmax(ours, -1)[:, 0], reference, advantage, tau).backward()
    rho = torch.log_softmax(squared, -1)[:, 0] - reference
    (((advantage - tau * rho) ** 2).sum() / (2 * tau)).backward()
    torch.testing.assert_close(ours.grad, squared.grad, rtol=1e-10, atol=1e-12)


def test_the_gradient_against_finite_differences() -> None:
    _, reference, advantage = random_case()
    logp = (reference + 0.4).detach()
    inputs = (logp.requires_grad_(), reference, advantage, 0.3)
    assert torch.autograd.gradcheck(mirror_descent_loss, inputs, eps=1e-6, atol=1e-8)


def test_the_minimum_lies_where_the_log_ratio_is_advantage_over_tau() -> None:
    """rho* = A / tau: the closed form of eq. 2 with tau log Z taken as the mean reward."""
    advantage, tau = torch.tensor([0.5, -0.25], dtype=torch.float64), 0.5
    reference = torch.tensor([-9.0, -2.0], dtype=torch.float64)
    best = (reference + advantage / tau).requires_grad_()
    mirror_descent_loss(best, reference, advantage, tau).backward()
    torch.testing.assert_close(best.grad, torch.zeros(2, dtype=torch.float64))


rewards = st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=16).map(lambda found: torch.tensor(found, dtype=torch.float64))
taus = st.floats(0.01, 10)


def test_the_log_partition_by_hand() -> None:
    # rewards 1 and 0, tau 1: log((e + 1) / 2) = 0.6201
    assert log_partition(torch.tensor([1.0, 0.0]), 1.0).item() == pytest.approx(0.620115, abs=1e-6)
    assert log_partition_advantages(torch.tensor([1.0, 0.0]), 1.0).tolist() == pytest.approx([0.379885, -0.620115], abs=1e-6)
    # one right of four, tau 0.1: 1 + 0.1 log((1 + 3 e^-10) / 4) = 0.8614
    assert log_partition(torch.tensor([0.0, 1.0, 0.0, 0.0]), 0.1).item() == pytest.approx(0.861384, abs=1e-6)
    # exp(1 / 0.001) is beyond double precision: 1 + 0.001 log(1 / 2)
    assert log_partition(torch.tensor([1.0, 0.0]), 0.001).item() == pytest.approx(1 - 0.000693147)


@settings(deadline=None)
@given(rewards, taus)
def test_the_log_partition_lies_between_mean_and_maximum(reward: torch.Tensor, tau: float) -> None:
    found = log_partition(reward, tau)
    assert reward.mean() - 1e-9 <= found <= reward.max() + 1e-9
    torch.testing.assert_close(log_partition(reward, 1e6), reward.mean(), rtol=0, atol=1e-4)
    torch.testing.assert_close(log_partition(reward, 1e-6), reward.max(), rtol=0, atol=1e-4)


@settings(deadline=None)
@given(rewards, taus)
def test_the_closed_form_of_eq_2_is_a_distribution(reward: torch.Tensor, tau: float) -> None:
    """pi* / pi_i = exp((r - tau log Z) / tau) averages to 1 over the samples of pi_i."""
    ratio = (log_partition_advantages(reward, tau) / tau).exp()
    assert ratio.mean().item() == pytest.approx(1.0, rel=1e-6)


@settings(deadline=None)
@given(st.floats(-2, 2), st.integers(1, 16), taus)
def test_equal_rewards_give_advantages_of_exactly_zero(reward: float, k: int, tau: float) -> None:
    assert log_partition_advantages(torch.full((k,), reward), tau).tolist() == [0.0] * k


def test_baselines_by_name() -> None:
    reward = torch.tensor([1.0, 0.0, 0.0, 1.0])
    assert set(ADVANTAGES) == {"mean", "log_partition", "rest"}
    assert torch.equal(ADVANTAGES["mean"](reward, 0.1), advantages(reward))
    assert torch.equal(ADVANTAGES["log_partition"](reward, 0.1), log_partition_advantages(reward, 0.1))
    assert torch.equal(ADVANTAGES["rest"](reward, 0.1), fitted(reward))


def test_length_normalisation_by_hand() -> None:
    # the parts 1.55 and -3.3 of test_the_loss_by_hand over 5 and 11 tokens
    logp, reference, advantage = torch.tensor([-3.0, -7.0]), torch.tensor([-4.0, -5.0]), torch.tensor([0.5, -0.5])
    loss = mirror_descent_loss(logp, reference, advantage, 0.1, torch.tensor([5, 11]))
    assert loss.item() == pytest.approx(1.55 / 5 - 3.3 / 11, abs=1e-6)
    same = mirror_descent_loss(logp, reference, advantage, 0.1, torch.tensor([1, 1]))
    assert same.item() == mirror_descent_loss(logp, reference, advantage, 0.1).item()


def test_length_normalisation_is_that_of_openkimi() -> None:
    """Its loss is tau / 2 (A / tau - rho)^2 / length: the same gradient."""
    tau, length = 0.2, torch.tensor([3.0, 1.0, 7.0, 200.0, 11.0])
    logits, reference, advantage = random_case()
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    mirror_descent_loss(torch.log_softmax(ours, -1)[:, 0], reference, advantage, tau, length).backward()
    rho = torch.log_softmax(theirs, -1)[:, 0] - reference
    (0.5 * tau * (advantage / tau - rho) ** 2 / length).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)


def test_the_token_level_loss_by_hand() -> None:
    # response 0, A = 0.5: tokens (-1, reference -2), (-2, reference -1): -0.5 * -3 + 0.05 * (1 + 1) = 1.6; as a whole rho = 0: 1.5
    # response 1, A = -0.5: token (-7, reference -5): 0.5 * -7 + 0.05 * 4 = -3.3, as in test_the_loss_by_hand
    logp, reference = torch.tensor([-1.0, -2.0, -7.0]), torch.tensor([-2.0, -1.0, -5.0])
    response, advantage = torch.tensor([0, 0, 1]), torch.tensor([0.5, -0.5])
    assert token_level_loss(logp, reference, response, advantage, 0.1).item() == pytest.approx(1.6 - 3.3)
    normalised = token_level_loss(logp, reference, response, advantage, 0.1, torch.tensor([2, 1]))
    assert normalised.item() == pytest.approx(1.6 / 2 - 3.3)


def test_variants_agree_where_they_must() -> None:
    """Responses of one token: token level is sequence level. At the reference the squares vanish, with one gradient for both."""
    _, reference, advantage = random_case()
    logp = reference + 0.3
    whole = mirror_descent_loss(logp, reference, advantage, 0.7)
    torch.testing.assert_close(token_level_loss(logp, reference, torch.arange(5), advantage, 0.7), whole)
    response = torch.tensor([0, 0, 1, 2, 2, 2, 3, 4])
    tokens = torch.randn(8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    token_level_loss(tokens, tokens.detach().clone(), response, advantage, 0.7).backward()
    by_token, tokens.grad = tokens.grad.clone(), None
    sums = torch.zeros(5, dtype=torch.float64).index_add(0, response, tokens)
    mirror_descent_loss(sums, sums.detach().clone(), advantage, 0.7).backward()
    torch.testing.assert_close(by_token, tokens.grad)


def test_gradients_of_the_variants_against_finite_differences() -> None:
    _, reference, advantage = random_case()
    logp, length = (reference + 0.4).detach().requires_grad_(), torch.tensor([3.0, 1.0, 7.0, 200.0, 11.0])
    assert torch.autograd.gradcheck(mirror_descent_loss, (logp, reference, advantage, 0.3, length), eps=1e-6, atol=1e-8)
    response = torch.tensor([0, 1, 1, 0, 2])
    inputs = (logp, reference, response, advantage[:3], 0.3, length[:3])
    assert torch.autograd.gradcheck(token_level_loss, inputs, eps=1e-6, atol=1e-8)


def test_the_gradient_of_a_policy_against_finite_differences() -> None:
    """Eq. 3 through a softmax policy of two tokens, whose whole responses are the sum of their tokens' log-probabilities."""
    logits, reference, advantage = random_case()

    def loss(found: torch.Tensor) -> torch.Tensor:
        logs = torch.log_softmax(found, -1)
        return mirror_descent_loss(logs[:, 0] + logs[:, 3], reference, advantage, 0.3)

    at = logits.clone().requires_grad_()
    loss(at).backward()
    for row, column in ((0, 0), (2, 3), (4, 10)):
        step = torch.zeros_like(logits)
        step[row, column] = 1e-6
        slope = (loss(logits + step) - loss(logits - step)).item() / 2e-6
        assert at.grad[row, column].item() == pytest.approx(slope, rel=1e-5, abs=1e-8)


@settings(deadline=None)
@given(st.lists(st.sampled_from([-0.5, -0.25, 0.0, 0.75]), min_size=1, max_size=16), st.integers(0, 2**62), st.floats(0, 1))
def test_only_negatives_are_dropped(found: list[float], seed: int, probability: float) -> None:
    advantage = torch.tensor(found)
    some = kept(advantage, probability, seed)
    assert bool(some[advantage >= 0].all())
    assert torch.equal(some, kept(advantage, probability, seed))
    assert bool(kept(advantage, 0.0, seed).all()), "off by default means all"
    assert torch.equal(kept(advantage, 1.0, seed), advantage >= 0)
    assert bool((some <= kept(advantage, probability / 2, seed)).all()), "who stays at a probability stays at a lower one"


def test_negatives_are_dropped_as_often_as_asked() -> None:
    """2,000 groups of 4: within four standard errors."""
    shares = [kept(torch.full((4,), -0.5), 0.3, seed).double().mean().item() for seed in range(2000)]
    assert sum(shares) / 2000 == pytest.approx(0.7, abs=4 * (0.3 * 0.7 / 8000) ** 0.5)
