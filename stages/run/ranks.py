"""Which of how many processes this is (SPMD under the DeepSpeed launcher, torchrun, or alone), and what all of them agree on."""

import datetime
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from stages.data.files import DataError

T = TypeVar("T")
COLLECTIVE_MINUTES = "K15_COLLECTIVE_MINUTES"
"""Environment variable: how long a rank waits for the others in one collective operation, 10 minutes when it is not set. No
parameter of the run: another value must not keep a stopped run from going on."""
_doing: ContextVar[tuple[str, ...]] = ContextVar("doing", default=())


def rank() -> int:
    """This process among all, 0 for the one that writes files."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process takes itself for the only one; its GPU (LOCAL_RANK) stays its own. For a library that would else join
    all ranks into one group, while each of them works for itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    own = {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": os.environ.get("LOCAL_RANK", "0"),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def share(items: Sequence[T]) -> list[T]:
    """This rank's part of `items`: every world_size-th, starting at its rank."""
    return list(items[rank() :: world_size()])


@contextmanager
def during(what: str) -> Iterator[None]:
    """Names what happens inside: an exception from there carries a note like "rank 1 of 2, rl iteration 3, gradient reduction"."""
    token = _doing.set((*_doing.get(), what))
    try:
        yield
    except Exception as error:
        if not where(error):
            error.add_note(", ".join([f"rank {rank()} of {world_size()}", *_doing.get()]))
        raise
    finally:
        _doing.reset(token)


def where(error: Exception) -> str:
    """The note that `during` gave an exception; "" without one."""
    return next((note for note in getattr(error, "__notes__", []) if note.startswith("rank ")), "")


def collective_time_out() -> datetime.timedelta:
    """How long one collective operation may take. DataError when the environment says no such number."""
    given = os.environ.get(COLLECTIVE_MINUTES, "10")
    try:
        found = datetime.timedelta(minutes=float(given))
    except (ValueError, OverflowError):
        found = datetime.timedelta()
    if found <= datetime.timedelta():
        raise DataError(f"{COLLECTIVE_MINUTES}={given}: expected a number of minutes above 0")
    return found
