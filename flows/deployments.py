"""Serves the recipe to Prefect's page and schedule: `python -m flows.deployments [--cron "0 3 * * *"] [--pool NAME]`.

Four deployments: the pipeline (which alone has the schedule), one stage, the evaluation of a given model, the study. The forms
take targets, a preset, values, force and retries. Without --pool this process runs them itself until Ctrl-C, one run at a time: a
second one waits. With --pool they go to a work pool (of type process where it does not exist yet), whose workers run them."""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from flows import environment
from flows.server import ServerError, ensure


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
        os.environ["PREFECT_API_URL"] = url = ensure(root)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    from prefect import serve
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
        return 0
    print(f"serving pipeline/{options.name} on {url.removesuffix('/api')}; Ctrl-C stops it", flush=True)
    serve(*made, limit=1, pause_on_shutdown=False, print_starting_message=False)
    return 0


def _make(pool: str) -> None:
    """The work pool called `pool`, of type process where it does not exist yet."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with contextlib.suppress(ObjectAlreadyExists), get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))


if __name__ == "__main__":
    sys.exit(main())
