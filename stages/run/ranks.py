"""Which of how many processes this is (SPMD under the DeepSpeed launcher, torchrun, or alone), and what all of them agree on."""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def rank() -> int:
    """This process among all, 0 for the one that writes files."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def share(items: Sequence[T]) -> list[T]:
    """This rank's part of `items`: every world_size-th, starting at its rank."""
    return list(items[rank() :: world_size()])
