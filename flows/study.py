"""The flow that puts the report's claims to the test, started from Prefect's page: `dvc repro study/dvc.yaml` as a task."""

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State

from flows import graph
from flows.evaluation import run_command
from flows.stage import gpu_lock

GRAPH = "study/dvc.yaml"


@flow(name="study")
def study(targets: list[str] | None = None) -> State:
    """The study with the seeds and variants of study/params.yaml; run again, it goes on where it was.

    Args:
        targets: Stages of study/dvc.yaml and what they need, for example trunk@0. Empty means all.
    """
    words = [f"{GRAPH}:{target}" for target in targets or ()] or [GRAPH]
    with gpu_lock("rl"):
        state: State = run_command("study", graph.dvc_command("repro", *words), Path.cwd(), return_state=True)
    if not state.is_completed():
        state.result(raise_on_failure=True)
    return state
