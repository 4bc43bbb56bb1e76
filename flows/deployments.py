"""Serves the recipe to Prefect's page and schedule: `python -m flows.deployments [--cron "0 3 * * *"] [--pool NAME]`.

Three deployments: the pipeline (which alone has the schedule), one stage, and the evaluation of a given model. The page's forms
take targets, a preset, values, force and retries. Without --pool this process runs them itself until Ctrl-C, one run at a time: a
second one waits. With --pool they go to a work pool, made where it does not exist (of type process), and this ends: workers run them."""

import argparse
import asyncio
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
    if options.pool:
        asyncio.run(_deploy(root, options.pool, options.name, options.cron))
        return 0
    from prefect import serve

    from flows.evaluation import evaluation
    from flows.tasks import one_stage, pipeline

    print(f"serving pipeline/{options.name} on {url.removesuffix('/api')}; Ctrl-C stops it", flush=True)
    made: list[Any] = [pipeline.to_deployment(options.name, cron=options.cron, tags=["k15"])]
    made += [other.to_deployment(other.name, tags=["k15"]) for other in (one_stage, evaluation)]
    serve(*made, limit=1, pause_on_shutdown=False, print_starting_message=False)
    return 0


async def _deploy(root: Path, pool: str, name: str, cron: str | None) -> None:
    """Register the three in the work pool `pool`, which works in `root`: all its workers must see that folder."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound

    async with get_client() as client:
        try:
            await client.read_work_pool(pool)
        except ObjectNotFound:
            await client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    sources = {"flows/tasks.py:pipeline": name, "flows/tasks.py:one_stage": "one-stage", "flows/evaluation.py:evaluation": "evaluation"}
    for entrypoint, title in sources.items():
        found: Any = await flow.afrom_source(source=str(root), entrypoint=entrypoint)
        schedule = cron if title == name else None
        await found.adeploy(
            title, work_pool_name=pool, cron=schedule, tags=["k15"], build=False, push=False, print_next_steps=False, ignore_warnings=True
        )
    print(f"deployed to work pool {pool}; on each machine: prefect worker start --pool {pool} --limit 1", flush=True)


if __name__ == "__main__":
    sys.exit(main())
