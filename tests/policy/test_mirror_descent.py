"""The loss of eq. 3 against numbers worked by hand, finite differences, the printed gradient and the squared loss."""

import pytest
import torch

from stages.policy.mirror_descent import advantages, mirror_descent_loss


def test_advantages_are_rewards_less_their_mean() -> None:
    # rewards 1, 0, 0, 1: mean 0.5
    assert advantages(torch.tensor([1.0, 0.0, 0.0, 1.0])).tolist() == [0.5, -0.5, -0.5, 0.5]
    # rewards 1, 0, 0: mean 1/3, no leave-one-out, no division by a deviation
    assert advantages(torch.tensor([1.0, 0.0, 0.0])).tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3])
    assert advantages(torch.tensor([1.0, 1.0])).tolist() == [0.0, 0.0]


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
