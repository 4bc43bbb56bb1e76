"""Which problems an iteration works on (§2.3.4): curriculum sampling, then prioritised sampling by running success rate; text and
pictures in a given mixture (§2.3.5)."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from stages.data.files import DataError
from stages.data.records import CuratedProblem
from stages.run.seeds import stream_seed

NEUTRAL = 0.5  # success rate of a problem that was not drawn yet
FLOOR = 0.05  # least weight: a problem that is always solved still comes back sometimes
CAP = 1.0  # greatest weight, that of a problem never solved: 1 is the report's 1 - s_i as it is, less holds hopeless problems back
MEMORY = 0.5  # share of the old rate in the running success rate
BINS = 5  # of pass rates in the histogram of what was drawn


class ProblemSampler:
    """Draws distinct problems; the same seed, history and iteration draw the same."""

    def __init__(
        self,
        problems: Sequence[CuratedProblem],
        seed: int,
        curriculum_until: int,
        hard_pass_rate: float,
        prioritized: bool,
        image_share: float | None = None,
        floor: float = FLOOR,
        cap: float = CAP,
    ) -> None:
        """`image_share`: share of picture problems in each draw; None draws from all alike. Raises DataError unless
        0 < floor <= cap and image_share lies in [0, 1]."""
        if not 0 < floor <= cap:
            raise DataError(f"sampler: floor {floor} and cap {cap} of the weights; expected 0 < floor <= cap")
        if image_share is not None and not 0 <= image_share <= 1:
            raise DataError(f"sampler: image_share {image_share}; expected a share from 0 to 1, or null for that of the set")
        self.problems = list(problems)
        self.seed = seed
        self.curriculum_until = curriculum_until
        self.hard_pass_rate = hard_pass_rate
        self.prioritized = prioritized
        self.image_share = image_share
        self.floor, self.cap = floor, cap
        self.success: dict[str, float] = {}
        self._picture = torch.tensor([problem.modality == "image" for problem in self.problems], dtype=torch.bool)

    def weights(self, iteration: int) -> torch.Tensor:
        """Unnormalised probability of each problem, shape (problems,): uniform over all before the curriculum's switch, after it
        over those with a pass rate of at most `hard_pass_rate`; proportional to 1 - s_i within floor and cap when prioritised."""
        weights = torch.ones(len(self.problems), dtype=torch.float64)
        if self.prioritized:
            rates = torch.tensor([self.success.get(problem.id, NEUTRAL) for problem in self.problems], dtype=torch.float64)
            weights = (1 - rates).clamp(self.floor, self.cap)
        return weights * self._eligible(iteration >= self.curriculum_until)

    def draw(self, iteration: int, count: int, exclude: Collection[str] = ()) -> list[CuratedProblem]:
        """`count` distinct problems, none of the ids in `exclude` (those still open in the buffer of partial rollouts); fewer when
        fewer are left. Raises DataError when the set has too few text or picture problems for `image_share`."""
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "sampler", iteration))
        weights = self.weights(iteration)
        excluded = set(exclude)
        free = torch.tensor([problem.id not in excluded for problem in self.problems], dtype=torch.bool)
        if self.image_share is None:
            return [self.problems[index] for index in _distinct(weights * free, count, generator)]
        pictures = _rounded(round(self.image_share * count, 9), generator)
        self._require(pictures, count - pictures, iteration >= self.curriculum_until)
        chosen = _distinct(weights * (free & self._picture), pictures, generator)
        chosen += _distinct(weights * (free & ~self._picture), count - pictures, generator)
        return [self.problems[chosen[place]] for place in torch.randperm(len(chosen), generator=generator).tolist()]

    def require(self, count: int) -> None:
        """Before the first iteration: raise DataError when some draw of `count`, before or after the curriculum's switch, could not
        have its share of text and pictures."""
        if self.image_share is not None:
            expected = round(self.image_share * count, 9)
            for switched in (False, True):
                self._require(math.ceil(expected), count - math.floor(expected), switched)

    def _eligible(self, switched: bool) -> torch.Tensor:
        """Problems that the curriculum lets through, bool (problems,); without any hard one all stay."""
        hard = torch.tensor([problem.pass_rate <= self.hard_pass_rate for problem in self.problems], dtype=torch.bool)
        return hard if switched and bool(hard.any()) else torch.ones(len(self.problems), dtype=torch.bool)

    def _require(self, pictures: int, texts: int, switched: bool) -> None:
        eligible = self._eligible(switched)
        for kind, wanted, own in (("picture", pictures, self._picture), ("text", texts, ~self._picture)):
            if (found := int((eligible & own).sum())) < wanted:
                hard = f" with a pass rate of at most {self.hard_pass_rate}" if switched else ""
                raise DataError(
                    f"the prompt set has {found} {kind} problems{hard}, image_share = {self.image_share} asks for {wanted} "
                    "an iteration; change image_share, draw fewer prompts, raise hard_pass_rate, or add problems"
                )

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


def sampled_difficulty(problems: Sequence[CuratedProblem]) -> dict[str, float]:
    """What was drawn: `sampled/pass_rate_0.0_0.2` and so on, the share of the problems whose measured pass rate lies in each bin
    (the upper end belongs to the next bin, 1.0 to the last); `sampled/image`, the share of pictures. {} when nothing was drawn."""
    if not problems:
        return {}
    counts = [0] * BINS
    for problem in problems:
        counts[min(int(problem.pass_rate * BINS), BINS - 1)] += 1
    figures = {
        f"sampled/pass_rate_{place / BINS:.1f}_{(place + 1) / BINS:.1f}": count / len(problems)
        for place, count in enumerate(counts)
    }
    return figures | {"sampled/image": sum(problem.modality == "image" for problem in problems) / len(problems)}


def _distinct(weights: torch.Tensor, count: int, generator: torch.Generator) -> list[int]:
    """At most `count` different indices, by weight."""
    count = min(count, int((weights > 0).sum()))
    chosen: list[int] = torch.multinomial(weights, count, replacement=False, generator=generator).tolist() if count else []
    return chosen


def _rounded(expected: float, generator: torch.Generator) -> int:
    """A whole number beside `expected`, up with the probability of the fraction: the share holds on average for few, too."""
    whole = math.floor(expected)
    luck = float(torch.rand((), generator=generator, dtype=torch.float64))
    return whole + (luck < expected - whole)
