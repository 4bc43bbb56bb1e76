"""Runs what Prefect's page asks for, of our own deployments, by our own code.

What a deployment says on the server can be changed by whoever gets at the server: steps that fetch code, a folder, an entry point,
an environment. Here a run whose deployment, or whose own settings, are not those that this process made is refused, and the code
that runs is named by this process, whatever the server says then."""

import contextlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.runner import Runner

FIXED = ("entrypoint", "path")
"""What a deployment must have as it was made."""
EMPTY = ("pull_steps", "job_variables", "storage_document_id", "infrastructure_document_id")
"""What neither a deployment nor a run may have: each can bring in other code, another folder or another environment."""


class ForeignRunError(RuntimeError):
    """A run that is not of this project's making; the message says what is foreign."""


class OwnRunner(Runner):
    """Prefect's runner, one run at a time, for `made`: deployments that were registered here, by id."""

    def __init__(self) -> None:
        super().__init__(pause_on_shutdown=False, limit=1)
        self.made: dict[UUID, Any] = {}

    def serve(self, deployment: Any) -> None:
        """Register a deployment and take runs of it."""
        own: Any = self.add_deployment(deployment)
        self.made[own] = deployment

    async def __aenter__(self) -> "OwnRunner":
        await super().__aenter__()
        poller = self._scheduled_run_poller
        submit, resolve = poller._submit_run, poller._resolve_starter

        async def submit_own(flow_run: Any, task_group: Any, slot_token: UUID) -> None:
            try:
                check(self.made, flow_run, await self._client.read_deployment(flow_run.deployment_id))
            except Exception as error:  # noqa: BLE001 (foreign, or the server does not answer: whatever it is, nothing is started)
                with contextlib.suppress(Exception):  # not told: it stays scheduled, and is looked at again
                    await poller._state_proposer.propose_pending(flow_run)
                    await poller._state_proposer.propose_failed(flow_run, error)
                poller._limit_manager.release(slot_token)
                poller._submitting_flow_run_ids.discard(flow_run.id)
            else:
                await submit(flow_run, task_group, slot_token)

        def resolve_own(flow_run: Any) -> Any:
            starter: Any = resolve(flow_run)
            starter._entrypoint = self.made[flow_run.deployment_id].entrypoint
            return starter

        poller._submit_run, poller._resolve_starter = submit_own, resolve_own  # type: ignore[method-assign]
        return self


def check(made: Mapping[UUID, Any], flow_run: Any, deployment: Any) -> None:
    """Raise ForeignRunError where the run, or its deployment on the server, is not as this process made it."""
    own = made.get(flow_run.deployment_id)
    if own is None:
        raise ForeignRunError(f"run {flow_run.name!r} is of a deployment that this process did not make; it was not started")
    changed = [name for name in FIXED if str(getattr(deployment, name)) != str(getattr(own, "_path" if name == "path" else name))]
    changed += [name for where in (deployment, flow_run) for name in EMPTY if getattr(where, name, None)]
    if changed:
        raise ForeignRunError(
            f"run {flow_run.name!r} was not started: {', '.join(sorted({*changed}))} of the run or its deployment are not those "
            "that this project made; start `make ui` again, which makes the deployment anew, and look who changed it"
        )
