"""The only door to Prefect: the task that runs one stage, the flow over DVC's graph, the flow around a single stage.

Tasks are called directly, one after the other, in the main thread: there, and only there, a cancellation arrives as an
exception, which ends the stage's process group. `wait_for` gives the edges of the graph in Prefect's page."""

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import prefect.runtime
from prefect import flow, get_run_logger, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.states import Completed

from flows import ending, graph, kept, run_page, tracking, worktrees
from flows.afresh import FRESH
from flows.form import Values, dotted
from flows.page_values import accepted
from flows.progress import Screen, clock
from flows.scores import Scores, of_run
from flows.stage import MARKS, TASK
from flows.streaming import StageError, stream


@task(name="stage", task_run_name="{name}", cache_policy=NO_CACHE)
def run_stage(name: str, command: list[str], root: Path, environ: dict[str, str], label: str) -> State | None:
    """Run `command` in `root`; Completed "Cached" when it did not come to executing the stage. Raises StageError."""
    context = TaskRunContext.get()
    assert context
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="k15-") as marks:
        marked = {TASK: str(context.task_run.id), MARKS: marks, "K15_PROGRESS": "off"}
        marked[tracking.FLOW_RUN] = str(prefect.runtime.flow_run.id)
        if context.task_run.run_count > 1:  # a retry goes on where the try before it was, also in a forced run
            marked[FRESH] = "0"
        start = time.time()
        code, last = stream(name, command, root, {**os.environ, **environ, **marked}, screen)
        mark = Path(marks, name)
        said = mark.read_text(encoding="utf-8") if mark.exists() else None
    if code:  # dvc has one code of its own for every failure; the stage left its own
        own, _, reason = (said or f"{code} {last}").partition(" ")
        raise StageError(name, int(own), reason)
    if said is None:
        screen.line(f"{label}  cached")
        return Completed(name="Cached", message="nothing that it reads has changed, or restored from DVC's run cache")
    screen.line(f"{label}  done in {clock(time.time() - start)}")
    return None


@task(name="stage", task_run_name="{name}", cache_policy=NO_CACHE)
def skip_stage(name: str, label: str) -> State:
    """The task run of a stage in which nothing changed."""
    Screen().line(f"{label}  cached")
    return Completed(name="Cached", message=f"{name}: nothing that it reads has changed")


@task(name="results", task_run_name="results", cache_policy=NO_CACHE)
def log_results(root: Path, run: str, status: str, made: Scores, ended: list[str], said: str) -> None:
    """Final numbers, parameters and figures to MLflow's parent run. What MLflow refuses is a warning, no more."""
    if refused := ending.finish(root, run, status, made, ended, said):
        get_run_logger().warning(refused)


def _flow_name() -> str:
    return f"pipeline {time.strftime('%m-%d %H:%M:%S')}"


@flow(name="pipeline", flow_run_name=_flow_name)
def pipeline(
    targets: list[str] | None = None,
    force: bool = False,
    overrides: dict[str, Any] | None = None,
    retries: int = 0,
    preset: str | None = None,
    values: Values | None = None,
) -> Any:
    """Every stage of dvc.yaml, or `targets` and what they need, as one task each.

    Args:
        targets: Stages of dvc.yaml; what they need runs first. Empty means all; sft means each sft@...
        force: Run stages in which nothing changed, too.
        overrides: Values of params.yaml for this run only, by dotted name, for example {"rl.long.tau": 0.2}. Numbers, switches and
            choices; paths, models and addresses only as params.yaml or a preset has them. A run with any value of its own works in
            a git worktree at the checkout's commit and becomes a DVC experiment.
        retries: How often a failed stage is tried again; it goes on from its last saved state.
        preset: A file of flows/presets, without .yaml; several with commas.
        values: The values that are changed most often.
    """
    root = Path.cwd()
    nodes = [node.name for node in graph.nodes(root, targets or ())]
    return _run(root, nodes, force, accepted(root, preset, dotted(values) | (overrides or {})), retries)


@flow(name="one-stage", flow_run_name="{stage}")
def one_stage(
    stage: str, force: bool = False, overrides: dict[str, Any] | None = None, retries: int = 0, values: Values | None = None
) -> Any:
    """One stage of dvc.yaml alone, with its inputs as they are.

    Args:
        stage: A stage of dvc.yaml, for example rl@long; sft means each sft@...
        force: Run it although nothing that it reads has changed.
        overrides: Values of params.yaml for this run only, by dotted name.
        retries: How often it is tried again when it fails.
        values: The values that are changed most often.
    """
    root = Path.cwd()
    nodes = [node.name for node in graph.nodes(root, [stage]) if stage in (node.name, node.name.split("@")[0])]
    return _run(root, nodes, force, accepted(root, None, dotted(values) | (overrides or {})), retries)


def stages_ended(state: State) -> list[str]:
    """The stages that a run of the pipeline in this process executed, restored or found unchanged, by its state."""
    result = state.result(raise_on_failure=False)
    return list(result.ended if isinstance(result, StageError) else result if isinstance(result, list) else ())


def _run(root: Path, names: list[str], force: bool, values: dict[str, Any], retries: int) -> Any:
    """The stages called `names`, in the checkout or, with values of its own, in a worktree; the state of the flow."""
    run = str(prefect.runtime.flow_run.id)
    stores = {"MLFLOW_TRACKING_URI": tracking.store(root), kept.PLACE: str(root / kept.KEPT)}
    place = worktrees.enter(root, run, values) if values else root
    force = force and prefect.runtime.flow_run.run_count == 1  # a retry from the page must not redo what is done
    environ = {"K15_PIPELINE_ID": run, **stores, **({FRESH: "1"} if force else {})}
    nodes = [node for node in graph.nodes(place) if node.name in names]
    states, dirty = dict[str, State](), set[str]()
    with ending.noted(place, run, stores):
        try:
            _run_graph(place, nodes, environ, force, retries, states, dirty)
        except BaseException:  # cancelled, or Ctrl-C
            if dirty and tracking.available():
                ending.cancelled(place, run, _ended(states), [node.name for node in nodes if node.name not in states][:1])
            raise
        return _finished(root, place, run, states, dirty)


def _ended(states: Mapping[str, State]) -> list[str]:
    return [name for name, state in states.items() if state.is_completed()]


def _finished(root: Path, place: Path, run: str, states: dict[str, State], dirty: set[str]) -> Any:
    """Tell MLflow and the page how the run ended, with the scores of this run only; the state of the flow."""
    ended = _ended(states)
    failed = next((state for state in states.values() if not state.is_completed()), None)
    made = of_run(place, ended)
    if dirty and tracking.available():
        status, said = ("FAILED", f"failed at {list(states)[-1]}") if failed else ("FINISHED", "")
        log_results(place, run, status, made, ended, said)
    try:
        run_page.publish(place, {name: str(state.name) for name, state in states.items()}, made)
    except Exception as error:  # noqa: BLE001 (a summary that the server does not take must not fail the run)
        get_run_logger().warning("no summary on the run's page: %s: %s", type(error).__name__, error)
    if failed:
        raised = failed.result(raise_on_failure=False)
        if isinstance(raised, StageError):
            raised.ended = ended
            raise raised
        return failed.result(raise_on_failure=True)
    if place != root:
        get_run_logger().info("kept as DVC experiment %s", worktrees.keep(place, run))
        worktrees.leave(root, place)
    return Completed(message=f"{len(dirty)} stages executed or restored, {len(states) - len(dirty)} unchanged", data=ended)


def _run_graph(
    root: Path,
    nodes: list[graph.Node],
    environ: dict[str, str],
    force: bool,
    retries: int,
    states: dict[str, State],
    dirty: set[str],
) -> None:
    """Put into `states` the state of each stage, up to and with the first that failed, and into `dirty` those not just skipped."""
    changes = graph.changes(root, [node.name for node in nodes])
    for place, node in enumerate(nodes, start=1):
        waits = [states[name] for name in node.upstream if name in states]
        label = f"[{place:>{len(str(len(nodes)))}}/{len(nodes)}] {node.name}"
        renewed = [name for name in node.upstream if name in dirty]  # an input made anew, if only to come out equal: DVC sees to it
        if not (force or renewed or node.name in changes):
            states[node.name] = skip_stage(node.name, label, return_state=True, wait_for=waits)
            continue
        dirty.add(node.name)
        reason = "forced" if force else changes.get(node.name) or f"after {', '.join(renewed)}"
        Screen().line(f"{label}  {reason}")
        command = graph.dvc_command("repro", "--quiet", "--single-item", *(["--force"] if force else []), node.name)
        run = run_stage.with_options(retries=retries, retry_delay_seconds=2)
        states[node.name] = run(node.name, command, root, environ, label, return_state=True, wait_for=waits)
        if not states[node.name].is_completed():
            break


@flow(name="stage")
def single(name: str, command: list[str], root: Path, environ: dict[str, str]) -> State:
    """One stage that a bare `dvc repro`, or a user, started while a server is up."""
    with tags("dvc"):
        state: State = run_stage(name, command, root, environ, name, return_state=True)
    if not state.is_completed():
        state.result(raise_on_failure=True)
    return state


def run_single(name: str, command: list[str], root: Path) -> int:
    """Open the flow around one stage; returns the stage's exit code."""
    named = single.with_options(flow_run_name=f"dvc: {name}")
    state = named(name, command, root, {"K15_PIPELINE_ID": tracking.pipeline_id()}, return_state=True)
    if state.is_completed():
        return 0
    error = state.result(raise_on_failure=False)
    if isinstance(error, StageError):
        return error.code
    print(f"stage {name} failed in Prefect: {state.message}", file=sys.stderr, flush=True)
    return 1
