"""Fixtures that tests of several folders share: one tiny checkpoint for the whole session."""

import os
import signal
from collections.abc import Iterator

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: threads only get in each other's way on tiny models

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: the programs under test must still hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "DS_ACCELERATOR")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory):
    """A checkpoint folder and problems; see tests/tiny.py."""
    from tiny import make

    return make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def ranks_of_this_test_only() -> Iterator[None]:
    """stages.training.engine.start names rank and port in the environment; other tests start programs with it."""
    before = {name: os.environ.get(name) for name in RANKS}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
