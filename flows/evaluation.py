"""The flow that evaluates a given model on benchmarks, started from Prefect's page: `k15 generate` as a task."""

import os
import sys
from pathlib import Path
from typing import Literal

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from flows import page_values
from flows.progress import Screen
from flows.stage import gpu_lock
from flows.streaming import StageError, stream
from stages.run.sections import BenchmarkName


@task(name="command", task_run_name="{name}", cache_policy=NO_CACHE)
def run_command(name: str, command: list[str], root: Path) -> None:
    """A program that is no stage, its lines in Prefect's log. Raises StageError."""
    code, last = stream(name, command, root, os.environ, Screen())
    if code:
        raise StageError(name, code, last)


@flow(name="evaluation", flow_run_name="{name}")
def evaluation(
    model: str,
    name: str,
    benchmarks: list[BenchmarkName],
    data: str,
    revision: str | None = None,
    limit: int | None = None,
    protocol: Literal["short", "long"] = "short",
    context: int | None = None,
    max_tokens: int | None = None,
) -> State:
    """Ask a model the items of benchmarks and score its responses, as `k15 generate` does; run again, it goes on where it was.

    Args:
        model: A folder of artifacts/models, or a model that params.yaml or a preset names.
        name: Of the column of scores; responses and scores go to artifacts/answers/NAME.
        benchmarks: Which of the twelve.
        data: Folder that holds a folder for each benchmark, as evaluate.root of params.yaml or a preset has it.
        revision: Commit of the hub id.
        limit: Items of each benchmark, evenly spaced. Empty means all.
        protocol: Whose defaults of temperature, samples and tokens; of short-CoT or of long-CoT models.
        context: Tokens of prompt and response together. Empty means the model's own.
        max_tokens: Tokens of a response at most.
    """
    page_values.model(Path.cwd(), model, revision)
    page_values.folder(Path.cwd(), "evaluate.root", data)
    page_values.name(name)
    root, given = Path.cwd(), {"revision": revision, "limit": limit, "context": context, "max-tokens": max_tokens}
    command = [
        sys.executable,
        "-m",
        "flows.k15",
        "generate",
        ",".join(benchmarks),
        "--model",
        model,
        "--data",
        data,
        "--name",
        name,
    ]
    command += ["--out", f"artifacts/answers/{name}", "--protocol", protocol]
    command += [word for key, value in given.items() if value is not None for word in (f"--{key}", str(value))]
    with gpu_lock("evaluate"):
        state: State = run_command(f"evaluation of {name}", command, root, return_state=True)
    if not state.is_completed():
        state.result(raise_on_failure=True)
    return state
