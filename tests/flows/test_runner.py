"""What the runner refuses: runs whose deployment on the server, or whose own settings, this project did not make."""

from types import SimpleNamespace
from uuid import uuid4

import pytest

from flows.runner import EMPTY, ForeignRunError, check

ID = uuid4()
MADE = {ID: SimpleNamespace(entrypoint="flows/tasks.py:pipeline", _path=".")}
RUN = {"deployment_id": ID, "name": "brave-one", "job_variables": {}, "infrastructure_document_id": None}
DEPLOYMENT = {
    "entrypoint": "flows/tasks.py:pipeline",
    "path": ".",
    "pull_steps": None,
    "job_variables": {},
    "storage_document_id": None,
}


def test_an_own_run_passes() -> None:
    check(MADE, SimpleNamespace(**RUN), SimpleNamespace(**DEPLOYMENT))


@pytest.mark.parametrize(
    "changed",
    [
        {"pull_steps": [{"prefect.deployments.steps.run_shell_script": {"script": "id"}}]},
        {"path": "/home/other"},
        {"entrypoint": "/tmp/evil.py:flow"},
        {"job_variables": {"env": {"K15_LAUNCHER": "sh -c id"}}},
        {"storage_document_id": uuid4()},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_deployment_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ForeignRunError, match=f"was not started: {next(iter(changed))} "):
        check(MADE, SimpleNamespace(**RUN), SimpleNamespace(**{**DEPLOYMENT, **changed}))


@pytest.mark.parametrize("name", ["job_variables", "infrastructure_document_id"])
def test_a_run_with_settings_of_its_own_is_refused(name: str) -> None:
    assert name in EMPTY
    with pytest.raises(ForeignRunError, match=name):
        check(MADE, SimpleNamespace(**{**RUN, name: {"env": {"PATH": "/tmp"}}}), SimpleNamespace(**DEPLOYMENT))


def test_a_run_of_another_deployment_is_refused() -> None:
    with pytest.raises(ForeignRunError, match="did not make"):
        check(MADE, SimpleNamespace(**{**RUN, "deployment_id": uuid4()}), SimpleNamespace(**DEPLOYMENT))
