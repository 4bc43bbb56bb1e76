"""Guards against loss, gradients and weights that are no finite numbers: nothing that is not finite
is saved or handed on, so that the last saved state stays good."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch

from stages.data.files import DataError

NAMED = 20
"""Samples or tensors that a message lists; more are counted."""
REMEDY = "the last saved state is kept, and the same command goes on from there; lower the learning rate, or look at the samples"


class NotFiniteError(DataError):
    """A step of training whose loss, gradient or weights are NaN or infinite."""


def check_step(loss: float, gradient_norm: float | None) -> None:
    """Raise NotFiniteError where the `loss` of a step over all ranks, or the norm of its gradient
    (None where it is not known yet), is NaN or infinite."""
    for what, value in (("loss", loss), ("gradient norm", gradient_norm)):
        if value is not None and not math.isfinite(value):
            raise NotFiniteError(f"the {what} is {value}; {REMEDY}")


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
