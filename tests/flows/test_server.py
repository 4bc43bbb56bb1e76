"""Prefect's server, started and stopped for real (by the fixture `server`)."""

import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import psutil
from toy_repository import Nobody, Toy

from flows import server as local


def test_the_server_answers_on_loopback_only(server: str) -> None:
    assert local.alive(server)
    port = int(re.findall(r"^http://127\.0\.0\.1:(\d+)/api$", server)[0])
    addresses = {entry.laddr.ip for entry in psutil.net_connections("tcp") if entry.laddr and entry.laddr.port == port}
    assert addresses == {"127.0.0.1"}


def test_nothing_answers_where_nothing_is() -> None:
    begun = time.monotonic()
    assert not local.alive(None)
    assert not local.alive("http://127.0.0.1:9/api")
    assert not local.alive("no address")
    assert time.monotonic() - begun < 1


def test_a_silent_socket_costs_half_a_second() -> None:
    """A listener that never answers is not a server."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        assert not local.alive(f"http://127.0.0.1:{silent.getsockname()[1]}/api")
        assert 0.4 < time.monotonic() - begun < 2


def test_down_signals_no_stranger_that_took_the_number(tmp_path: Path) -> None:
    """The process id in the state file is ours now; its start time tells that it is not the server."""
    state = tmp_path / "artifacts/prefect/server.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"url": "http://127.0.0.1:9/api", "pid": os.getpid(), "created": 1.0}))
    assert local.down(tmp_path) is False
    assert not state.exists()


def test_an_interrupted_start_leaves_no_server(toy: Toy, nobody: Nobody) -> None:
    with toy.start("-m", "flows.server", "up") as starting:
        until = time.monotonic() + 120
        while not (family := psutil.Process(starting.pid).children(recursive=True)) and time.monotonic() < until:
            time.sleep(0.05)
        database = toy.root / "artifacts/prefect/prefect.db"
        while not database.exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert database.exists()
        starting.send_signal(signal.SIGINT)
        assert starting.wait(60) == 130
        nobody([child.pid for child in family], 30)
    assert {path.name for path in (toy.root / "artifacts/prefect").iterdir()} <= {"key", "lock", "server.log"}
