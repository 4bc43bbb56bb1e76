"""Which problems an iteration works on (§2.3.4): curriculum sampling, then prioritised sampling by running success rate."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from stages.data.records import CuratedProblem
from stages.run.seeds import stream_seed

NEUTRAL = 0.5  # success rate of a problem that was not drawn yet
FLOOR = 0.05  # least weight: a problem that is always solved still comes back sometimes
MEMORY = 0.5  # share of the old rate in the running success rate


class ProblemSampler:
    """Draws distinct problems; the same seed, history and iteration draw the same."""

    def __init__(
        self,
        problems: Sequence[CuratedProblem],
        seed: int,
        curriculum_until: int,
        hard_pass_rate: float,
        prioritized: bool,
    ) -> None:
        self.problems = list(problems)
        self.seed = seed
        self.curriculum_until = curriculum_until
        self.hard_pass_rate = hard_pass_rate
        self.prioritized = prioritized
        self.success: dict[str, float] = {}

    def weights(self, iteration: int) -> torch.Tensor:
        """Unnormalised probability of each problem, shape (problems,): uniform over all before the curriculum's switch, after it
        over those with a pass rate of at most `hard_pass_rate`; proportional to 1 - s_i when prioritised."""
        weights = torch.ones(len(self.problems), dtype=torch.float64)
        if self.prioritized:
            rates = torch.tensor([self.success.get(problem.id, NEUTRAL) for problem in self.problems], dtype=torch.float64)
            weights = (1 - rates).clamp(min=FLOOR)
        if iteration >= self.curriculum_until:
            hard = torch.tensor([problem.pass_rate <= self.hard_pass_rate for problem in self.problems])
            if bool(hard.any()):
                weights = weights * hard
        return weights

    def draw(self, iteration: int, count: int) -> list[CuratedProblem]:
        """`count` distinct problems, fewer when fewer can be drawn."""
        weights = self.weights(iteration)
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "sampler", iteration))
        count = min(count, int((weights > 0).sum()))
        chosen = torch.multinomial(weights, count, replacement=False, generator=generator)
        return [self.problems[index] for index in chosen.tolist()]

    def update(self, success: Mapping[str, float]) -> None:
        """Fold the success rates of this iteration's groups into the running ones."""
        for name, rate in success.items():
            old = self.success.get(name)
            self.success[name] = rate if old is None else MEMORY * old + (1 - MEMORY) * rate

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {"success": dict(self.success)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a saved state."""
        self.success = dict(state["success"])
