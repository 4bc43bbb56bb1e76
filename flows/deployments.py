"""Serves the recipe to Prefect's page and schedule: `python -m flows.deployments [--cron "0 3 * * *"] [--pool NAME]`.

Four deployments: the pipeline (which alone has the schedule), one stage, the evaluation of a given model, the study. The forms
take targets, a preset, values, force and retries. Without --pool this process runs them itself until Ctrl-C, one run at a time: a
second one waits; one process of a checkout does so, another ends at once. With --pool they go to a work pool (of type process where
it does not exist yet), whose workers run them. `make ui` serves them, too."""

import argparse
import asyncio
import contextlib
import fcntl
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows import environment
from flows.processes import exit_on_signals
from flows.server import ServerError, access, ensure
from stages.run.secrets import hidden

LAST_WORDS = 30.0
"""Seconds that runs have to end when this program ends."""


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flows.deployments", description=__doc__)
    parser.add_argument("--cron", metavar="SCHEDULE", help="five cron fields, UTC; without it runs start from the page")
    parser.add_argument("--name", default="pipeline", help="name of the pipeline's deployment (default: %(default)s)")
    parser.add_argument("--pool", metavar="NAME", help="leave the runs to the workers of this work pool")
    options = parser.parse_args()
    root = Path.cwd()
    environment.prepare(root)
    try:
        url = ensure(root)
        os.environ |= access(root, url)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    from prefect.types.entrypoint import EntrypointType

    from flows.evaluation import evaluation
    from flows.study import study
    from flows.tasks import one_stage, pipeline

    more: dict[str, Any] = {"tags": ["k15"]}
    if options.pool:  # its workers find the flows by name, as this Python does, and work in this folder
        _make(options.pool)
        more |= {"work_pool_name": options.pool, "job_variables": {"working_dir": str(root)}}
        more["entrypoint_type"] = EntrypointType.MODULE_PATH
    made: list[Any] = [pipeline.to_deployment(options.name, cron=options.cron, **more)]
    made += [other.to_deployment(other.name, **more) for other in (one_stage, evaluation, study)]
    if options.pool:
        for deployment in made:
            deployment.apply()
        print(f"deployed to work pool {options.pool}; on each machine: prefect worker start --pool {options.pool} --limit 1")
        print("with PREFECT_API_URL, and PREFECT_API_AUTH_STRING where the server asks for one, in its environment")
        return 0
    with _alone(root) as alone:
        if not alone:
            print("another process of this checkout serves the recipe already", flush=True)
            return 0
        print(f"serving pipeline/{options.name} on {hidden(url.removesuffix('/api'))}; Ctrl-C stops it", flush=True)
        return _serve(made)


def _serve(made: list[Any]) -> int:
    """Run what is asked of these deployments until Ctrl-C or SIGTERM. What runs then is cancelled, like by the page's button: no
    process of it is left, and the page says so. (Prefect's own `serve` would leave it "Running" there.)"""
    from flows.runner import OwnRunner

    runner = OwnRunner()
    for deployment in made:
        runner.serve(deployment)
    loop = threading.Thread(target=lambda: asyncio.run(runner.start()), name="runner", daemon=True)
    exit_on_signals()
    try:
        loop.start()
        while loop.is_alive():
            loop.join(0.5)
    except KeyboardInterrupt:
        return 130
    finally:
        if loop.is_alive() and runner.started:
            with contextlib.suppress(TimeoutError):  # what is left then is ended with this program
                runner.execute_in_background(runner.cancel_all).result(LAST_WORDS)
    return 1  # it does not end by itself


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[bool]:
    """Whether no other process of this checkout serves; the kernel frees the lock when its holder dies in any way."""
    path = root / "artifacts/prefect/serving"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _make(pool: str) -> None:
    """The work pool called `pool`, of type process where it does not exist yet."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with contextlib.suppress(ObjectAlreadyExists), get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))


if __name__ == "__main__":
    sys.exit(main())
