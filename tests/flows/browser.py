"""A real Chromium for the tests of pages and for the pictures of docs/operations.md, and MLflow's page for it to look at."""

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator

from playwright.sync_api import Page, sync_playwright
from toy_repository import Toy

from flows import ui
from flows.keys import auth, basic

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


@contextlib.contextmanager
def browser_page(width: int = 1400, height: int = 860, login: str | None = None) -> Iterator[Page]:
    """An empty page in a window of that size, which knows the `user:key` of MLflow's page; nothing reaches beyond this machine."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own rule
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=root)
        try:
            user, _, password = (login or ":").partition(":")
            known = {"username": user, "password": password} if login else None
            yield browser.new_page(viewport={"width": width, "height": height}, http_credentials=known)
        finally:
            browser.close()


@contextlib.contextmanager
def mlflow_page(toy: Toy) -> Iterator[str]:
    """The address of MLflow's page over the store of `toy`, until the block ends."""
    address, command = ui.mlflow_page(toy.root)
    with subprocess.Popen(command, cwd=toy.root, env=toy.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            asked = urllib.request.Request(address, headers={"Authorization": basic(auth(toy.root))})
            opener, until = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic() + 240
            while True:
                try:
                    opener.open(asked, timeout=5).close()
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.5)
            yield address
        finally:
            process.terminate()


def start_from_page(page: Page, site: str, login: str, deployment: str) -> None:
    """Do as a user does on Prefect's page `site`: open it by the address that `make ui` prints, open the deployment, press Run,
    Quick run, and wait until a run is completed."""
    page.goto(ui.prefect_login(f"{site}/api", login))
    page.goto(f"{site}/deployments")
    page.get_by_role("link", name=deployment, exact=True).first.click(timeout=120_000)
    page.get_by_role("button", name="Run", exact=True).last.click(timeout=60_000)
    page.get_by_text("Quick run").first.click()
    page.get_by_text("Completed", exact=True).first.wait_for(timeout=240_000)
