"""The pages in a real browser, as a user opens them: a run started from Prefect's page, two runs compared in MLflow's, the report
on a phone without a network."""

import json
import time

import mlflow
import pytest
from browser import CHROMIUM, browser_page, mlflow_page, start_from_page
from test_pipeline import ask
from toy_repository import KEYS, PROJECT, Toy

from flows import keys, tracking

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
            start_from_page(page, server.removesuffix("/api"), KEYS[server], "clicked")
    finally:
        serve.terminate()
        said = serve.communicate(timeout=60)[0]
    assert "serving pipeline/clicked" in said
    assert toy.ran() == ["make", "use"]


@pytest.mark.slow
def test_two_runs_compared_in_mlflow(toy: Toy, server: str) -> None:
    with (toy.root / "dvc.yaml").open("a") as file:
        copied = "cmd: mkdir -p results/report && cp made.json results/report/metrics.json"
        file.write(f"  report:\n    {copied}\n    params: [seed]\n    outs: [results/report: {{cache: false}}]\n")
    for seed, accuracy in ((0, 81.5), (1, 74.25)):
        scores = {"base": {"accuracy": 0.0, "tokens": 9.0}, "long_rl": {"tokens": 80.0, "accuracy": accuracy}, "checks_held": 6}
        (toy.root / "made.json").write_text(json.dumps(scores))
        done = toy.call("-m", "flows.pipeline", "-S", f"seed={seed}", K15_TRACKING="on", PREFECT_API_URL=server)
        assert done.returncode == 0, done.stdout + done.stderr
    client = mlflow.MlflowClient(tracking_uri=tracking.store(toy.root))
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment
    runs = [run.info.run_id for run in client.search_runs([experiment.experiment_id], "tags.kind = 'pipeline'")]
    assert len(runs) == 2
    with mlflow_page(toy) as address, browser_page(login=keys.auth(toy.root)) as page:
        page.goto(f'{address}/#/compare-runs?runs={json.dumps(runs)}&experiments=["{experiment.experiment_id}"]')
        page.get_by_text("Comparing 2 Runs").first.wait_for(timeout=120_000)
        page.get_by_text("Show diff only").first.wait_for(timeout=60_000)
        chosen = page.locator("[class*=select-selection-item]").all_inner_texts()
        details = page.inner_text("body").partition("Run details")[2]
    opened = [text for text in dict.fromkeys(chosen) if text][:2]
    assert opened == ["seed", "accuracy/long_rl"], "the plot opens with what differs and with the figure that counts"
    assert "81.5" in details
    assert "74.25" in details


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
