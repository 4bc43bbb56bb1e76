"""The local Prefect server, on loopback: `python -m flows.server up | down`.

It obeys who knows the checkout's key (flows/keys.py) and no page of another origin (flows/guard.py). PREFECT_API_URL, where set,
names a server of the user's own, with PREFECT_API_AUTH_STRING where it asks for one; then none is started here."""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import psutil

from flows import environment, keys
from flows.launch import free_port
from flows.processes import exit_on_signals
from stages.run.secrets import hidden

PATIENCE = 240.0
"""Seconds a new server may take until it answers (seen: 9 on two idle cores with a new database, 80 on busy ones)."""


BUSY = 20.0
"""Seconds that a running server may take to answer."""


class ServerError(RuntimeError):
    """No server answers and none could be started."""


def api_url(root: Path) -> str | None:
    """PREFECT_API_URL, else that of the server this project started; None when there was none."""
    if url := os.environ.get("PREFECT_API_URL"):
        return url
    state = _state(root)
    return state["url"] if state else None


def alive(url: str | None, timeout: float = 0.5) -> bool:
    """Does a Prefect server answer at `url` within `timeout` seconds?"""
    if not url:
        return False
    local = urllib.parse.urlsplit(url).hostname in environment.LOOPBACK
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({} if local else None))
    try:
        with opener.open(f"{url.rstrip('/')}/health", timeout=timeout) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def answering(root: Path, timeout: float = 0.5) -> str | None:
    """The address of the user's server where it answers, else of this project's where it proves that it is; None without one."""
    if url := os.environ.get("PREFECT_API_URL"):
        return url if alive(url, timeout) else None
    state = _state(root)
    return state["url"] if state and keys.proven(root, state["url"], timeout) else None


def use_server(root: Path, url: str) -> None:
    """Before Prefect is imported for a run on this terminal: its server with the key, and its log for the page only."""
    os.environ |= access(root, url)
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def access(root: Path, url: str) -> dict[str, str]:
    """What a Prefect client needs in its environment for `url`. The key goes to no server of the user's own."""
    own = {} if os.environ.get("PREFECT_API_URL") else {"PREFECT_API_AUTH_STRING": keys.auth(root)}
    return {"PREFECT_API_URL": url, **own}


def ensure(root: Path) -> str:
    """The API address of a Prefect server that answers; started and left running where none does, or ServerError."""
    if url := os.environ.get("PREFECT_API_URL"):
        if alive(url, timeout=5):
            return url
        raise ServerError(f"PREFECT_API_URL={hidden(url)}: no Prefect server answers there; start it, or unset the variable")
    folder = root / "artifacts/prefect"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        keys.key(root)
    except keys.KeyFileError as error:
        raise ServerError(str(error)) from error
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = _state(root)
        if state and (keys.proven(root, state["url"], timeout=2) or (_process(state) and _proven_late(root, state["url"]))):
            return str(state["url"])
        return _start(root, folder)


def _proven_late(root: Path, url: str) -> bool:
    """A server whose process lives is waited for, since a second one must not open the same database."""
    until = time.monotonic() + BUSY
    while time.monotonic() < until:
        if keys.proven(root, url, timeout=5):
            return True
    raise ServerError(f"this project's server at {url} runs, but does not show that it knows the key; `make down`, then try again")


def _start(root: Path, folder: Path) -> str:
    port, new = _port(_state(root)), not (folder / "prefect.db").exists()
    url = f"http://127.0.0.1:{port}/api"
    environ = {**os.environ, "PREFECT_HOME": str(folder)}
    command = [sys.executable, "-m", "flows.guarded", "prefect", str(port)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environ, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(root, process, url)
    except BaseException:  # an interrupted or failed start leaves no server that nobody knows of, and no half-made database
        process.kill()
        process.wait()
        for path in folder.glob("prefect.db*") if new else ():
            path.unlink()
        raise
    state = {"url": url, "pid": process.pid, "created": psutil.Process(process.pid).create_time()}
    (folder / "server.json").write_text(json.dumps(state), encoding="utf-8")
    return url


def _await(root: Path, process: subprocess.Popen[bytes], url: str) -> None:
    """Return when the server answers, both with its proof and as Prefect. Raises ServerError with the end of its log when it ended
    or does not answer in time."""
    until, log = time.monotonic() + PATIENCE, root / "artifacts/prefect/server.log"
    while not (keys.proven(root, url, timeout=0.5) and alive(url)):
        if process.poll() is not None or time.monotonic() > until:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise ServerError(f"the Prefect server did not start; the end of {log}:\n{tail}")
        time.sleep(0.2)


def _port(state: dict[str, str] | None) -> int:
    """The last port of this project's server, else Prefect's usual one, else any: the first that is free."""
    last = urllib.parse.urlsplit(state["url"]).port if state else None
    for port in (last, 4200):
        if port:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    return free_port()


def _state(root: Path) -> dict[str, str] | None:
    try:
        found: dict[str, str] = json.loads((root / "artifacts/prefect/server.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found


def _process(state: dict[str, str]) -> psutil.Process | None:
    """The very process that was started as server; None when it is gone, or its number is somebody else's now."""
    try:
        process = psutil.Process(int(state["pid"]))
        return process if abs(process.create_time() - float(state["created"])) <= 0.01 else None
    except psutil.NoSuchProcess:
        return None


def down(root: Path) -> bool:
    """Stop the server that this project started; False when there was none. Only that very process is signalled."""
    state = _state(root)
    (root / "artifacts/prefect/server.json").unlink(missing_ok=True)
    process = _process(state) if state else None
    if process is None:
        return False
    family = [process, *process.children(recursive=True)]
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGTERM)
    for member in psutil.wait_procs(family, timeout=8)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    return True


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flows.server", description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    action = parser.parse_args().action
    root = Path.cwd()
    environment.prepare(root)
    exit_on_signals()
    try:
        if action == "up":
            print(ensure(root))
        else:
            print("stopped" if down(root) else "no server of this project is running")
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
