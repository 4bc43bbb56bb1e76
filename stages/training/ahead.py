"""Things that are made when they are read, the next one by a thread meanwhile."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, Protocol, TypeVar, overload

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Recipe(Protocol[T_co]):
    """How a thing is made."""

    @property
    def cheap(self) -> bool:
        """Whether it is made in no time, and may be kept."""

    def make(self) -> T_co:
        """The thing, the same each time."""


class Lazily(Sequence[T]):
    """A sequence whose items are made when they are asked for. While a caller works with one that is not cheap, a thread makes
    the next; no such item is kept."""

    def __init__(self, recipes: Sequence[Recipe[T]]) -> None:
        self._recipes = recipes
        self._kept: dict[int, T] = {}
        self._begun: dict[int, Future[T]] = {}

    def __len__(self) -> int:
        return len(self._recipes)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        if place in self._kept:
            return self._kept[place]
        begun = self._begun.pop(place, None)
        self.begin(place + 1)
        item = self._recipes[place].make() if begun is None else begun.result()
        if self._recipes[place].cheap:
            self._kept[place] = item
        return item

    def begin(self, place: int) -> None:
        """Let the thread make item `place`, if there is one that takes time."""
        if place < len(self) and place not in self._begun and not self._recipes[place].cheap:
            self._begun[place] = _thread().submit(self._recipes[place].make)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="ahead")


def one_ahead(sequences: Iterable[tuple[Any, Lazily[T]]]) -> Iterator[tuple[Any, Lazily[T]]]:
    """Pairs of anything and a sequence, in order; the first item of each sequence is begun while a caller works with the pair
    before it."""
    waiting: tuple[Any, Lazily[T]] | None = None
    for pair in sequences:
        if waiting is not None:
            pair[1].begin(0)
            yield waiting
        waiting = pair
    if waiting is not None:
        yield waiting
