"""The main job: `python -m flows.pipeline [--preset NAME] [--data DIR] [-S key=value ...] [targets ...]`.

Overrides go into params.yaml, a local Prefect server is started if none answers, the flow runs the graph of dvc.yaml,
and the end is a short table of what this very run measured, with the paths of everything. Where nothing changed and no
server is up, none is started.
What cannot work on this machine (`k15 plan` says the same and more) stops a run of the whole graph before anything changes.
"""

import argparse
import gc
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows import environment, graph, overrides, plan, scores, summary
from flows.processes import exit_on_signals
from flows.progress import clock
from flows.server import ServerError, answering, ensure, use_server
from stages.run.params import ParamsError, parsed
from stages.run.secrets import hidden


def main() -> int:
    """The command line; returns the exit code: 0, 1 when a stage failed, 2 for a mistake on the command line."""
    options = _options()
    root, start = Path.cwd(), time.monotonic()
    environment.prepare(root)
    exit_on_signals()
    try:
        values = overrides.chosen(options.preset, options.data, options.values)
        if not options.anyway and not options.targets and (against := _obstacles(root, values)):
            print("\n".join([*against, "nothing was changed; --anyway (make run ANYWAY=1) starts all the same"]), file=sys.stderr)
            return 2
        _override(values)
        nodes = graph.nodes(root, options.targets)
        changes = graph.changes(root, [node.name for node in nodes])
        code, ended = _run(root, options, [node.name for node in nodes], changes)
        print(f"{'done' if code == 0 else 'stopped'} after {clock(time.monotonic() - start)}")
        made = scores.of_run(root, ended)
    except (ParamsError, graph.GraphError, ServerError) as error:
        print(f"error: {hidden(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on where this stopped", file=sys.stderr)
        return 130
    for line in [*summary.table(made), *(summary.places(root, made) if code == 0 else ())]:
        print(line)
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description=__doc__)
    parser.add_argument("--preset", metavar="NAME", help=overrides.PRESET_HELP)
    parser.add_argument("--data", metavar="DIR", type=Path, help="your files: DIR/train and DIR/bench")
    parser.add_argument("-S", dest="values", metavar="key=value", action="append", default=[], help="one parameter")
    parser.add_argument("--force", action="store_true", help="run stages in which nothing changed, too")
    parser.add_argument("--anyway", action="store_true", help="start also where something cannot work on this machine")
    parser.add_argument("targets", nargs="*", help="stages of dvc.yaml (sft means each sft@...); default: all")
    return parser.parse_args()


def _obstacles(root: Path, values: Mapping[str, Any]) -> list[str]:
    """What stands against a run of the whole recipe with the dotted `values`, a line each."""
    if not any(node.name == "rl@long" for node in graph.nodes(root)):
        return []
    from flows import feasible
    from flows.machine import this_machine

    params = parsed(plan.changed(root, values))
    return [f"cannot work: {found.text}" for found in feasible.findings(params, this_machine(root), root, 0) if found.fatal]


def _override(values: Mapping[str, Any]) -> None:
    """Put them into params.yaml."""
    if changed := overrides.apply(dict(values)):
        for key, (old, new) in changed.items():
            print(f"params.yaml: {key}: {old!r} -> {new!r}")
        print("written to params.yaml; `git checkout params.yaml` goes back")


def _run(root: Path, options: argparse.Namespace, names: list[str], changes: Mapping[str, str]) -> tuple[int, list[str]]:
    """The exit code, and the stages that this run executed, restored or found unchanged."""
    if not changes and not options.force and not answering(root):
        print(f"all {len(names)} stages are cached: nothing that they read has changed")
        return 0, names
    if importlib.util.find_spec("prefect") is None:
        print("Prefect is not installed: running `dvc repro` without it")
        words = ["repro", *(["--force"] if options.force else []), *options.targets]
        code = subprocess.run(graph.dvc_command(*words), cwd=root, stdin=subprocess.DEVNULL, check=False).returncode
        return code, names if code == 0 else scores.unchanged(root, names)
    print(f"{len(names)} stages, {len(changes)} changed so far; looking for the Prefect server", flush=True)
    url = ensure(root)
    use_server(root, url)
    import httpx

    from flows.tasks import pipeline, stages_ended

    try:
        state: Any = pipeline(targets=options.targets or None, force=options.force, return_state=True)
    except httpx.TransportError as error:  # after Prefect's own retries, some minutes
        raise ServerError(
            f"the Prefect server at {url} went away ({error}); the same command goes on where this stopped"
        ) from error
    if state.is_completed():
        return 0, stages_ended(state)
    print(hidden(f"{state.message}\nmore: {url.removesuffix('/api')} in a browser"), file=sys.stderr)
    return 1, stages_ended(state)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # nothing is left to collect
    os._exit(code) if code == 130 else sys.exit(code)
