"""The pages in a real browser, as a user opens them: a run started from Prefect's page, two runs compared in MLflow's, the report
on a phone without a network."""

import json
import time

import mlflow
import pytest
from browser import CHROMIUM, browser_page, mlflow_page, start_from_page
from test_pipeline import ask
from toy_repository import PROJECT, Toy

from flows import tracking

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; .ci/toolchains installs it")
PHONE = (390, 844)


@pytest.mark.slow
def test_a_run_is_started_from_prefects_page(toy: Toy, server: str) -> None:
    serve = toy.start("-m", "flows.deployments", "--name", "clicked", PREFECT_API_URL=server)
    try:
        until = time.monotonic() + 120
        while not ask(server, "deployments/filter", deployments={"name": {"any_": ["clicked"]}}) and time.monotonic() < until:
            time.sleep(0.5)
        with browser_page() as page:
            start_from_page(page, server.removesuffix("/api"), "clicked")
    finally:
        serve.terminate()
        said = serve.communicate(timeout=60)[0]
    assert "serving pipeline/clicked" in said
    assert toy.ran() == ["make", "use"]


@pytest.mark.slow
def test_two_runs_compared_in_mlflow(toy: Toy, server: str) -> None:
    for seed in (0, 1):
        done = toy.call("-m", "flows.pipeline", "-S", f"seed={seed}", K15_TRACKING="on", PREFECT_API_URL=server)
        assert done.returncode == 0, done.stdout + done.stderr
    client = mlflow.MlflowClient(tracking_uri=tracking.store(toy.root))
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment
    runs = [run.info.run_id for run in client.search_runs([experiment.experiment_id], "tags.kind = 'pipeline'")]
    assert len(runs) == 2
    with mlflow_page(toy) as address, browser_page() as page:
        page.goto(f'{address}/#/compare-runs?runs={json.dumps(runs)}&experiments=["{experiment.experiment_id}"]')
        page.get_by_text("Comparing 2 Runs").first.wait_for(timeout=120_000)
        page.get_by_text("Show diff only").first.wait_for(timeout=60_000)
        shown = page.inner_text("body")
    assert "seed" in shown, "the parameter in which they differ"


def test_the_report_on_a_phone_without_a_network() -> None:
    with browser_page(*PHONE) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((PROJECT / "results/report/index.html").as_uri())
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE[0], (
            "tables scroll in their own boxes, the page does not"
        )
        assert page.evaluate("[...document.images].filter(i => !i.alt).length") == 0
        assert page.evaluate("[...document.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label')).length") == 0
        dead = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.getElementById(a.hash.slice(1))).length"
        assert page.evaluate(dead) == 0
        assert page.evaluate("document.documentElement.lang") == "en"
