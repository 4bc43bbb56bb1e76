"""Who is not the user, on a real Prefect server, on MLflow's page, on a served pipeline: other users of this machine, pages of
other origins, and somebody who got at the server all the same."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import mlflow_page
from test_accidents import deployment, running
from test_pipeline import ask
from toy_repository import KEYS, Toy

from flows import keys, tracking, ui

AS_NOBODY = """
import os, sys, json, urllib.request, urllib.error, encodings.idna  # all before: Python may lie where nobody else reads
os.setgid(65534); os.setuid(65534)
url, path = sys.argv[1:3]
out = {"uid": os.getuid()}
try:
    out["key"] = open(path).read()
except OSError as error:
    out["key"] = type(error).__name__
def post(where, body):
    request = urllib.request.Request(f"{url}/{where}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code
out["flow"] = post("flows/", {"name": "evil"})
out["run"] = post("deployments/filter", {})
print(json.dumps(out))
"""


def status(url: str, method: str = "POST", body: Any = None, **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer."""
    head = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(url, json.dumps(body or {}).encode() if method != "GET" else None, head, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_neither_reads_the_key_nor_starts_anything(server: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    (path,) = {found.resolve() for found in tmp_path_factory.getbasetemp().glob(f"server*/{keys.PLACE}")}
    closed = [parent for parent in path.parents[1:] if not parent.stat().st_mode & 0o001]
    for parent in closed:  # pytest's own folders; the checkout of a user may be open
        parent.chmod(0o755)
    words = [sys.executable, "-I", "-c", AS_NOBODY, server, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", check=False)
    for parent in closed:
        parent.chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"uid": 65534, "key": "PermissionError", "flow": 401, "run": 401}


def test_prefects_interface_wants_the_key_from_everybody(server: str) -> None:
    login = keys.basic(KEYS[server])
    assert status(f"{server}/flows/filter")[0] == 401
    assert status(f"{server}/flows/filter", Authorization=keys.basic("k15:wrong"))[0] == 401
    assert status(f"{server}/admin/settings", "GET")[0] == 401
    assert status(f"{server}/flows/filter", Authorization=login)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
    ids=["origin", "other port", "rebound name", "fetch"],
)
def test_prefects_interface_refuses_other_origins_with_the_key_and_grants_them_nothing(
    server: str, headers: dict[str, str]
) -> None:
    login = keys.basic(KEYS[server])
    code, answered = status(f"{server}/flows/filter", Authorization=login, **headers)
    assert code == 403
    assert "access-control-allow-origin" not in answered
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization,content-type"}
    assert status(f"{server}/flows/filter", "OPTIONS", **asked, **headers)[0] == 403


def test_a_socket_of_another_origin_is_closed(server: str) -> None:
    """The events of all runs, and the logs, are read over sockets, to which no browser rule on origins applies."""
    port = int(server.split(":")[2].split("/")[0])
    for origin, expected in (("http://evil.example", b" 403 "), (f"http://127.0.0.1:{port}", b" 101 ")):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}"]
        lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: prefect", f"Origin: {origin}"]
        with socket.create_connection(("127.0.0.1", port), timeout=30) as open_socket:
            open_socket.sendall(("GET /api/events/out HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
            assert expected in open_socket.recv(4096).splitlines()[0] + b" "


@pytest.fixture(scope="module")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """MLflow's page over a store with one run, and its login."""
    root = tmp_path_factory.mktemp("mlflow")
    toy = Toy(root, {**os.environ})
    tracking.Store.connect(root, "p")
    with mlflow_page(toy) as address:
        yield address, keys.auth(root)


def test_mlflows_interface_wants_the_key_and_the_own_origin(mlflow_address: tuple[str, str]) -> None:
    address, login = mlflow_address
    search, body = f"{address}/api/2.0/mlflow/experiments/search", {"max_results": 5}
    right = {"Authorization": keys.basic(login)}
    assert status(search, body=body, **right)[0] == 200
    assert status(search, body=body)[0] == 401
    assert status(address, "GET")[0] == 401
    assert status(address, "GET", **right)[0] == 200
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "http://localhost:3000"}, {"Host": "evil.example"}):
        code, answered = status(search, body=body, **right, **headers)
        assert code == 403
        assert "access-control-allow-origin" not in answered


def test_the_addresses_that_make_ui_prints_log_in(server: str) -> None:
    opens = ui.prefect_login(server, KEYS[server])
    assert opens == f"{server.removesuffix('/api')}/k15/enter#{KEYS[server].replace(':', '%3A')}"
    code, _ = status(opens.partition("#")[0], "GET")
    assert code == 200
    assert ui.with_login("http://127.0.0.1:5000", "k15:abc") == "http://k15:abc@127.0.0.1:5000"


@pytest.mark.slow
def test_a_deployment_that_was_changed_on_the_server_runs_nothing(toy: Toy, server: str, tmp_path: Path) -> None:
    """Somebody who has the key, or got at the database: pull steps are a shell, job variables an environment."""
    toy.environ["PREFECT_API_URL"] = server
    proof = tmp_path / "it-ran"
    with running(toy, "-m", "flows.deployments", "--name", "changed"):
        which = deployment(server, "changed")
        (made,) = ask(server, "deployments/filter", deployments={"id": {"any_": [which]}})
        step = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {proof}"}}
        patch(server, f"deployments/{which}", pull_steps=[step])
        assert refused(server, which, {"targets": ["use"]}).count("pull_steps")
        patch(server, f"deployments/{which}", pull_steps=None, entrypoint="/tmp/evil.py:flow")
        assert refused(server, which, {"targets": ["use"]}).count("entrypoint")
        patch(server, f"deployments/{which}", entrypoint=made["entrypoint"])
        environ = {"job_variables": {"env": {"K15_LAUNCHER": f"touch {proof}"}}}
        assert refused(server, which, {"targets": ["use"]}, **environ).count("job_variables")
        values = {"targets": ["use"], "overrides": {"model.source": f"a; touch {proof}"}}
        assert "not accepted from the page" in refused(server, which, values)
        assert not proof.exists()
        assert toy.ran() == []
        run = ask(server, f"deployments/{which}/create_flow_run", parameters={"targets": ["use"]})
        assert ended(server, run["id"])[0] == "Completed", "as it was made, it runs"
    assert toy.ran() == ["make", "use"]


def patch(api: str, path: str, **body: Any) -> None:
    """Change something on the server; where its database is busy (503), again."""
    until = time.monotonic() + 60
    while (code := status(f"{api}/{path}", "PATCH", body, Authorization=keys.basic(KEYS[api]))[0]) == 503:
        assert time.monotonic() < until
        time.sleep(1)
    assert code < 300, code


def refused(api: str, which: str, parameters: dict[str, Any], **more: Any) -> str:
    """Why a run failed."""
    run = ask(api, f"deployments/{which}/create_flow_run", parameters=parameters, **more)
    state, message = ended(api, run["id"])
    assert state == "Failed", message
    return message


def ended(api: str, run: str, seconds: float = 180) -> tuple[str, str]:
    until = time.monotonic() + seconds
    while True:
        (found,) = ask(api, "flow_runs/filter", flow_runs={"id": {"any_": [run]}})
        if found["state_name"] in ("Completed", "Failed", "Crashed", "Cancelled"):
            return found["state_name"], str(found["state"]["message"])
        assert time.monotonic() < until, found
        time.sleep(0.5)
