"""Both pages, and the recipe served to Prefect's page and schedule, until Ctrl-C: `python -m flows.ui [--cron "0 3 * * *"]`.

The recipe is served on this project's own Prefect server only. On a server of the user's own (PREFECT_API_URL), where others may
look at the same page, `python -m flows.deployments` does that."""

import argparse
import importlib.util
import os
import sqlite3
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import quote

from flows import environment, tracking
from flows.deployments import LAST_WORDS
from flows.guard import ENTER
from flows.keys import auth
from flows.launch import free_port
from flows.processes import Group, exit_on_signals
from flows.server import ServerError, access, ensure
from stages.run.secrets import hidden


def mlflow_page(root: Path) -> tuple[str, list[str]]:
    """Address of MLflow's page and the command that serves it, empty when the user runs a tracking server."""
    store = tracking.store(root)
    if store.startswith(("http://", "https://")):
        return store, []
    port = str(free_port())
    return f"http://127.0.0.1:{port}", [sys.executable, "-m", "flows.guarded", "mlflow", port]


def runs_of(root: Path) -> str:
    """Where on MLflow's page the runs are, after its address; "" before the first run, and for a server of the user's own. The page
    itself opens with the traces of agents."""
    path = Path(tracking.store(root).removeprefix("sqlite:///"))
    if not path.is_file():
        return ""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database, suppress(sqlite3.DatabaseError):
        found = database.execute("SELECT experiment_id FROM experiments WHERE name = ?", (tracking.EXPERIMENT,)).fetchone()
        return f"/#/experiments/{found[0]}/runs?workflowType=machine_learning" if found else ""
    return ""


def prefect_login(url: str, login: str) -> str:
    """The address that opens Prefect's page on `url` for who has the `login`: what stands behind # a browser keeps to itself."""
    return f"{url.removesuffix('/api')}{ENTER}#{quote(login)}"


def with_login(address: str, login: str) -> str:
    """The address with user and key in it, which a browser takes out and sends to that server alone."""
    return address.replace("://", f"://{login}@", 1)


def show(root: Path, cron: str | None) -> int:
    """Print the addresses and stay until one of the programs ends; its exit code."""
    running: list[Group] = []
    with ExitStack() as stack:
        if importlib.util.find_spec("prefect"):
            own = not os.environ.get("PREFECT_API_URL")
            url = ensure(root)
            opens = prefect_login(url, auth(root)) if own else hidden(url.removesuffix("/api"))
            print(f"Prefect  {opens}   (stays up; `make down` stops it)", flush=True)
            if own:
                words = [sys.executable, "-m", "flows.deployments", *(["--cron", cron] if cron else [])]
                known = {**os.environ, **access(root, url)}
                running.append(stack.enter_context(Group(words, _say, known, root, grace=2 * LAST_WORDS)))
        if importlib.util.find_spec("mlflow"):
            address, command = mlflow_page(root)
            if command:
                running.append(stack.enter_context(Group(command, lambda _line, _stream: None, dict(os.environ), root)))
            opens = with_login(address, auth(root)) if command else hidden(address)
            more = "   (ready in some seconds; Ctrl-C stops it)" if command else ""
            print(f"MLflow   {opens}{runs_of(root)}{more}", flush=True)
        print("The addresses hold this checkout's key: who has one can start programs here.", flush=True)
        while running:
            for group in list(running):
                code = group.wait(0.5)
                if code:
                    return code
                if code == 0:  # it had nothing to do: somebody else serves the recipe
                    running.remove(group)
    return 0


def _say(line: str, stream: str) -> None:
    print(line, file=sys.stderr if stream == "stderr" else sys.stdout, flush=True)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flows.ui", description=__doc__)
    parser.add_argument("--cron", metavar="SCHEDULE", help="five cron fields, UTC; without it runs start from the page")
    options = parser.parse_args()
    root = Path.cwd()
    environment.prepare(root)
    exit_on_signals()
    try:
        return show(root, options.cron)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
