"""The loss of the report: online policy mirror descent on whole responses (§2.3.2, eq. 2 and 3), and the variants that the report
or a follow-up names, each off by default (params.yaml, `loss`)."""

from collections.abc import Callable, Mapping

import torch


def advantages(reward_K: torch.Tensor) -> torch.Tensor:
    """A_j = r_j - mean(r) over the K samples of one problem: the report's stand-in for tau log Z (§2.3.2). Shape (K,)."""
    return reward_K - reward_K.mean()


def log_partition(reward_K: torch.Tensor, tau: float) -> torch.Tensor:
    """tau log Z estimated from the K samples: tau log((1/K) sum_j exp(r_j / tau)) (§2.3.2). A scalar between the mean of the
    rewards (tau to infinity) and their maximum (tau to 0). The maximum is taken out first, so that no exp overflows and equal
    rewards give exactly that reward."""
    top = reward_K.max()
    return top + tau * ((reward_K - top) / tau).exp().mean().log()


def log_partition_advantages(reward_K: torch.Tensor, tau: float) -> torch.Tensor:
    """A_j = r_j - tau log Z, the baseline before the report replaces it by the mean (§2.3.2; "PMD-partition" of
    https://arxiv.org/abs/2602.05933 leaves sample j out of its own baseline, which the report does not). Shape (K,)."""
    return reward_K - log_partition(reward_K, tau)


def fitted(reward_K: torch.Tensor) -> torch.Tensor:
    """1 for each response that ReST fits, 0 for the others: those with a reward above one half, which for rewards of 0 and 1 are
    the right ones (filter of https://arxiv.org/abs/2308.08998, §3; the report's §3.5: it fits its best samples and does not push
    down wrong ones). With tau = 0 the loss below is then the negative log-likelihood of what is fitted. Shape (K,)."""
    return (reward_K > 0.5).to(reward_K.dtype)


ADVANTAGES: Mapping[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "mean": lambda reward_K, _: advantages(reward_K),
    "log_partition": log_partition_advantages,
    "rest": lambda reward_K, _: fitted(reward_K),
}
"""Name of the baseline -> the advantages of the K rewards of one problem at tau."""


def mirror_descent_loss(
    logp_N: torch.Tensor,
    reference_logp_N: torch.Tensor,
    advantage_N: torch.Tensor,
    tau: float,
    length_N: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sum over N responses of -A log pi(y,z|x) + tau/2 rho^2, with rho = log pi(y,z|x) - log pi_i(y,z|x).

    Log-probabilities are sums over all tokens of the response, natural logs; the reference pi_i is the policy at the start of
    the iteration. Its gradient is eq. 3 with the sign turned for minimising. The report divides by no length; with `length_N`, the
    tokens of each response that carry loss, its part is divided by them (https://github.com/horizon-rl/OpenKimi, openkimi/pmd)."""
    rho_N = logp_N - reference_logp_N
    part_N = -advantage_N * logp_N + 0.5 * tau * rho_N**2
    return (part_N if length_N is None else part_N / length_N).sum()


def token_level_loss(
    logp_T: torch.Tensor,
    reference_logp_T: torch.Tensor,
    response_of_T: torch.Tensor,
    advantage_N: torch.Tensor,
    tau: float,
    length_N: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sum over T tokens of -A log pi(token) + tau/2 (log pi(token) - log pi_i(token))^2: each token is held to the reference by
    itself, not the response as a whole (`pg_variant: kimi15` of https://github.com/alibaba/ROLL).

    `response_of_T` is the response, 0 to N - 1, that each token belongs to; its advantage and length are the token's."""
    length_T = None if length_N is None else length_N[response_of_T]
    return mirror_descent_loss(logp_T, reference_logp_T, advantage_N[response_of_T], tau, length_T)


def kept(advantage_K: torch.Tensor, drop_negatives: float, seed: int) -> torch.Tensor:
    """Which of the K responses of one problem are trained on, bool (K,): all with A >= 0, and each other but with probability
    `drop_negatives` (0.5 in Kimina-Prover, https://arxiv.org/abs/2504.11354, against an early collapse). The same seed keeps the
    same; a higher probability keeps fewer of them, never others. The baseline is that of all K."""
    luck_K = torch.rand(len(advantage_K), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (advantage_K >= 0) | (luck_K >= drop_negatives)
