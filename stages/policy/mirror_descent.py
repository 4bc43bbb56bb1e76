"""The loss of the report: online policy mirror descent on whole responses (§2.3.2, eq. 2 and 3)."""

import torch


def advantages(reward_K: torch.Tensor) -> torch.Tensor:
    """A_j = r_j - mean(r) over the K samples of one problem: the report's stand-in for tau log Z (§2.3.2). Shape (K,)."""
    return reward_K - reward_K.mean()


def mirror_descent_loss(
    logp_N: torch.Tensor, reference_logp_N: torch.Tensor, advantage_N: torch.Tensor, tau: float
) -> torch.Tensor:
    """Sum over N responses of -A log pi(y,z|x) + tau/2 rho^2, with rho = log pi(y,z|x) - log pi_i(y,z|x).

    Log-probabilities are sums over all tokens of the response, natural logs; the reference pi_i is the policy at the start of
    the iteration. Its gradient is eq. 3 with the sign turned for minimising."""
    rho_N = logp_N - reference_logp_N
    return (-advantage_N * logp_N + 0.5 * tau * rho_N**2).sum()
