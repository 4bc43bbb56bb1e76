"""Serves the pipeline to Prefect's page and schedule: `python -m flows.deployments [--cron "0 3 * * *"]`, until Ctrl-C.

One run at a time: a second one waits as "Scheduled". The page's form takes targets, force, overrides and retries. For a
work pool on another machine, `prefect deploy flows/tasks.py:pipeline`, from the project's root, makes the same."""

import argparse
import os
import sys
from pathlib import Path

from flows import environment
from flows.server import ServerError, ensure


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flows.deployments", description=__doc__)
    parser.add_argument("--cron", metavar="SCHEDULE", help="five cron fields, UTC; without it runs start from the page")
    parser.add_argument("--name", default="pipeline", help="name of the deployment (default: %(default)s)")
    options = parser.parse_args()
    root = Path.cwd()
    environment.prepare(root)
    try:
        os.environ["PREFECT_API_URL"] = url = ensure(root)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    from flows.tasks import pipeline

    print(f"serving pipeline/{options.name} on {url.removesuffix('/api')}; Ctrl-C stops it", flush=True)
    pipeline.serve(name=options.name, cron=options.cron, limit=1, pause_on_shutdown=False, print_starting_message=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
