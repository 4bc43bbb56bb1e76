"""Guards against loss, gradients and weights that are not finite: a step with such a loss or gradient
is left out, and weights that are not finite are neither saved nor handed on."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from stages.data.files import DataError

NAMED = 20
"""Samples or tensors that a message lists; more are counted."""
REMEDY = "the last saved state is kept, and the same command goes on from there; lower the learning rate, or look at the samples"


class NotFiniteError(DataError):
    """Raised for weights that are NaN or infinite, and after too many steps without a finite loss
    and gradient."""


@dataclass
class BadSteps:
    """Counts the optimizer steps in a row that are left out, up to a limit (`health.bad_steps`)."""

    allowed: int
    in_a_row: int = 0

    def check(self, loss: float, gradient_norm: float) -> str:
        """Return what is not finite in a step, of its `loss` over all ranks and the norm of its
        gradient; "" for a good step. Raises NotFiniteError for the first step beyond the limit."""
        step = (("loss", loss), ("gradient norm", gradient_norm))
        bad = [f"the {what} is {value}" for what, value in step if not math.isfinite(value)]
        if not bad:
            self.in_a_row = 0
            return ""
        self.in_a_row += 1
        found = bad[0]
        if self.in_a_row > self.allowed:
            row = f" in {self.in_a_row} steps in a row (health.bad_steps: {self.allowed})" if self.allowed else ""
            raise NotFiniteError(f"{found}{row}; {REMEDY}")
        return f"{found} ({self.in_a_row} in a row, health.bad_steps: {self.allowed})"


def left_out(step: str, bad: str, samples: Iterable[str]) -> str:
    """Message on a `step` that was left out: what is `bad`, and the names of its `samples`."""
    return f"{step}: left out, {bad}; samples of the step: {listed(sorted({*samples}))}"


@contextmanager
def naming(samples: Iterable[str]) -> Iterator[None]:
    """Add the names of a step's `samples` to a NotFiniteError that it raises."""
    try:
        yield
    except NotFiniteError as error:
        named = listed(sorted({*samples}))
        raise NotFiniteError(f"{error}; samples of the step: {named}") from error


def not_finite(weights: Iterable[tuple[str, torch.Tensor]]) -> list[str]:
    """Names of the tensors with a NaN or an infinity. A sum is finite only where all its terms are,
    and takes no second tensor; where it is not, the entries decide (sums may overflow)."""
    return [
        name
        for name, value in weights
        if value.is_floating_point()
        and not bool(torch.isfinite(value.detach().sum(dtype=torch.float32)))
        and not bool(torch.isfinite(value).all())
    ]


def listed(names: Sequence[str]) -> str:
    """At most NAMED of the names, and how many there are besides."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
