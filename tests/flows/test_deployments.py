"""A served pipeline: its schedule really makes runs, and a run from the page runs the stages."""

import time

import pytest
from test_pipeline import ask
from toy_repository import Toy


@pytest.mark.slow
def test_a_cron_schedule_makes_runs_and_a_triggered_run_completes(toy: Toy, server: str) -> None:
    """With SQLAlchemy 2.1 under Prefect 3.8 schedules stay silent: this is what would tell."""
    toy.environ["PREFECT_API_URL"] = server
    serve = toy.start("-m", "flows.deployments", "--name", "smoke", "--cron", "* * * * *")
    try:
        scheduled, deployment, until = [], [], time.monotonic() + 60
        while not scheduled and time.monotonic() < until:
            time.sleep(0.5)
            deployment = ask(server, "deployments/filter", deployments={"name": {"any_": ["smoke"]}})
            which = {
                "deployments": {"name": {"any_": ["smoke"]}},
                "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
            }
            scheduled = ask(server, "flow_runs/filter", **which) if deployment else []
        assert deployment, "no deployment was made"
        assert scheduled, "the schedule made no run"
        values = {"targets": ["use"], "overrides": {"merge.weight": 0.25}}
        run = ask(server, f"deployments/{deployment[0]['id']}/create_flow_run", parameters=values)
        state, until = "", time.monotonic() + 120
        while state not in ("Completed", "Failed", "Crashed") and time.monotonic() < until:
            time.sleep(0.5)
            (found,) = ask(server, "flow_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
            state = found["state_name"]
        assert state == "Completed", found
    finally:
        serve.terminate()
        said = serve.communicate(timeout=60)[0]
    assert "serving pipeline/smoke" in said
    # overrides ran in a worktree: the checkout kept its value, the result is a DVC experiment
    assert "weight: 0.5" in (toy.root / "params.yaml").read_text()
    assert not any((toy.root / ".runs").iterdir())
    listed = toy.call("-m", "dvc", "exp", "list", "--name-only").stdout
    assert f"run-{run['id'][:8]}" in listed
