"""Fixtures of the tests of flows: the repository, one real Prefect server for all, and who is still alive."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from toy_repository import KEYS, Nobody, Pids, Toy, build, environ

from flows import keys


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return build(tmp_path)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server that flows.server started; stopped the same way."""
    root = tmp_path_factory.mktemp("server")
    house = Toy(root, environ(root))
    started = house.call("-m", "flows.server", "up", timeout=300)
    assert started.returncode == 0, started.stderr
    address = started.stdout.strip()
    KEYS[address] = keys.auth(root)
    yield address
    stopped = house.call("-m", "flows.server", "down")
    assert "stopped" in stopped.stdout, stopped.stderr


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def pids(toy: Toy) -> Pids:
    """Waits until the stage `family` has written the ids of its three processes, and returns them."""

    def read(seconds: float = 30) -> list[int]:
        path, until = toy.root / "pids.txt", time.monotonic() + seconds
        while time.monotonic() < until:
            if path.exists() and len(found := path.read_text().split()) == 3:
                return [int(pid) for pid in found]
            time.sleep(0.05)
        raise AssertionError(f"no three ids in {path} within {seconds} s")

    return read


@pytest.fixture
def nobody() -> Nobody:
    """Asserts that all the given processes are gone within some seconds."""

    def check(numbers: list[int], seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(_alive(pid) for pid in numbers):
            time.sleep(0.05)
        assert [pid for pid in numbers if _alive(pid)] == []

    return check
