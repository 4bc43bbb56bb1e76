"""Picture inputs that are made when they are read: a picture of one megapixel is 25 MiB of float32 for a Qwen, its file 1 MiB."""

from collections.abc import Callable, Iterator, Mapping
from threading import Lock

import torch

Inputs = Mapping[str, torch.Tensor]
SMALL = 4096
"""Bytes of an input that is always kept: grids, sizes."""
HELD = 256 * 2**20
"""Bytes of pictures that a process keeps, those that come first; a training set of small ones is then made once."""


class Held:
    """How much of HELD is taken."""

    def __init__(self) -> None:
        self.bytes = 0
        self.lock = Lock()

    def take(self, count: int) -> bool:
        """Whether there is room for `count` more; they are taken then."""
        with self.lock:
            if self.bytes + count > HELD:
                return False
            self.bytes += count
            return True

    def give(self, count: int) -> None:
        with self.lock:
            self.bytes -= count


_HELD = Held()


class Remade(Mapping[str, torch.Tensor]):
    """The inputs `make()` gives, of which `made` is a first result: small ones are kept, and all of them while there is room;
    what is not kept is made again by each `whole()`."""

    def __init__(self, made: Inputs, make: Callable[[], Inputs]) -> None:
        self._make = make
        self._names = tuple(made)
        large = sum(value.nbytes for value in made.values() if value.nbytes > SMALL)
        self._taken = large if _HELD.take(large) else 0
        self.kept = self._taken == large
        self._values = {name: value for name, value in made.items() if self.kept or value.nbytes <= SMALL}

    def __del__(self) -> None:
        _HELD.give(getattr(self, "_taken", 0))

    def whole(self) -> Inputs:
        """All inputs."""
        return self._values if self.kept else self._make()

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._values[name] if name in self._values else self._make()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def whole(pixels: Inputs) -> Inputs:
    """The picture inputs of a prompt, made now if they are not kept."""
    return pixels.whole() if isinstance(pixels, Remade) else pixels


def kept(pixels: Inputs) -> bool:
    """Whether reading them costs nothing."""
    return pixels.kept if isinstance(pixels, Remade) else True
