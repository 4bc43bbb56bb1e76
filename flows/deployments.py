"""Serves the recipe to Prefect's page and schedule: `python -m flows.deployments [--cron "0 3 * * *"]`, until Ctrl-C.

Three deployments: the pipeline (which alone has the schedule), one stage, and the evaluation of a given model. One run at a time:
a second one waits. The page's forms take targets, a preset, values, force and retries. For a work pool on another machine,
`prefect deploy flows/tasks.py:pipeline`, from the project's root, makes the same."""

import argparse
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
    options = parser.parse_args()
    root = Path.cwd()
    environment.prepare(root)
    try:
        os.environ["PREFECT_API_URL"] = url = ensure(root)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    from prefect import serve

    from flows.evaluation import evaluation
    from flows.tasks import one_stage, pipeline

    print(f"serving pipeline/{options.name} on {url.removesuffix('/api')}; Ctrl-C stops it", flush=True)
    made: list[Any] = [pipeline.to_deployment(options.name, cron=options.cron, tags=["k15"])]
    made += [other.to_deployment(other.name, tags=["k15"]) for other in (one_stage, evaluation)]
    serve(*made, limit=1, pause_on_shutdown=False, print_starting_message=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
