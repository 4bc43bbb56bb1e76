"""Takes the pictures of docs/operations.md: `python docs/pictures.py`, with a Chromium.

In a repository of its own, whose graph has the training stages of dvc.yaml but replays their committed curves, it runs the pipeline
for two seeds on a real Prefect server and a real MLflow store, opens both pages and the report, and draws what DVC plots."""

import contextlib
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import vl_convert
import yaml
from PIL import Image
from playwright.sync_api import Page

PROJECT = Path(__file__).parents[1]
PICTURES = PROJECT / "docs/img"
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests/flows")]

from browser import browser_page, mlflow_page  # noqa: E402
from toy_repository import Toy, build  # noqa: E402

from flows import graph, keys, server, tracking, ui  # noqa: E402


def main() -> None:
    """All five, into docs/img."""
    PICTURES.mkdir(exist_ok=True)
    plots()
    with (
        tempfile.TemporaryDirectory() as folder,
        house(Path(folder)) as toy,
        mlflow_page(toy) as address,
        browser_page(login=keys.auth(toy.root)) as page,
    ):
        prefect(page, str(server.api_url(toy.root)), keys.auth(toy.root))
        mlflow(page, address, toy)
        page.goto((PROJECT / "results/report/index.html").as_uri())
        take(page, "report")


@contextlib.contextmanager
def house(root: Path) -> Iterator[Toy]:
    """A repository with the project's stages, in which the pipeline ran for seeds 0 and 1."""
    toy = build(root)
    stages = {}
    for node in graph.nodes(PROJECT, ["curate", "rl@short", "merge", "dpo", "sft@shortest"]):
        name, *upstream = (each.replace("@", "-") for each in (node.name, *node.upstream))  # only a foreach makes names with @
        stages[name] = {
            "cmd": f"python -m flows.stage {name} -- toys.demo {name}",
            "deps": [f"artifacts/demo/{up}" for up in upstream],
            "params": ["seed"],
            "outs": [f"artifacts/demo/{name}"],
        }
    stages["report"] = {
        **stages["dpo"],
        "cmd": "python -m flows.stage report -- toys.demo report",
        "outs": ["artifacts/demo/report"],
    }
    stages["report"]["deps"] = [f"artifacts/demo/{name}" for name in ("rl-short", "merge", "dpo", "sft-shortest")]
    (toy.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    try:
        for seed in (0, 1):
            done = toy.call("-m", "flows.pipeline", "-S", f"seed={seed}", K15_TRACKING="on", timeout=900)
            assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        yield toy
    finally:
        toy.call("-m", "flows.server", "down")


def prefect(page: Page, api: str, login: str) -> None:
    """The page of the first run, with its graph."""
    body = json.dumps({"sort": "START_TIME_ASC", "flows": {"name": {"any_": ["pipeline"]}}}).encode()
    headers = {"Content-Type": "application/json", "Authorization": keys.basic(login)}
    asked = urllib.request.Request(f"{api}/flow_runs/filter", body, headers)
    run = json.loads(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked).read())[0]
    page.goto(ui.prefect_login(api, login))
    page.goto(f"{api.removesuffix('/api')}/runs/flow-run/{run['id']}")
    page.get_by_text(run["name"]).first.wait_for(timeout=120_000)
    page.wait_for_timeout(15_000)
    take(page, "prefect-run")


def mlflow(page: Page, address: str, toy: Toy) -> None:
    """The comparison of the two runs of the pipeline."""
    import mlflow as library

    client = library.MlflowClient(tracking_uri=tracking.store(toy.root))
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT).experiment_id
    runs = [run.info.run_id for run in client.search_runs([experiment], "tags.kind = 'pipeline'")]
    page.goto(f'{address}/#/compare-runs?runs={json.dumps(runs)}&experiments=["{experiment}"]')
    page.get_by_text("Comparing 2 Runs").first.wait_for(timeout=120_000)
    page.wait_for_timeout(10_000)
    take(page, "mlflow-compare")


def plots() -> None:
    """The four plots of dvc.yaml over the committed results, two in a row."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "plots", "show", "--json"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    names = [name for entry in yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))["plots"] for name in entry]
    with tempfile.TemporaryDirectory() as folder:
        drawn = []
        for number, name in enumerate(names):
            path = Path(folder, f"{number}.png")
            path.write_bytes(vl_convert.vegalite_to_png(json.loads(done.stdout)["data"][name][0]["content"], scale=1))
            drawn.append(Image.open(path).convert("RGB"))
        width, height = max(one.width for one in drawn), max(one.height for one in drawn)
        sheet = Image.new("RGB", (2 * width, 2 * height), "white")
        for number, one in enumerate(drawn):
            sheet.paste(one, (number % 2 * width, number // 2 * height))
        sheet.quantize(64).save(PICTURES / "dvc-plots.png", optimize=True)


def take(page: Page, name: str) -> None:
    """The window as it is, in 128 colours."""
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
    print(f"{path.relative_to(PROJECT)}  {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
