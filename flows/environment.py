"""The environment that every entry point sets first: no package phones home, all state stays inside the project, and the imports of
big packages are not slowed by Python's search for garbage."""

import gc
import os
import sys
from pathlib import Path

QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # A dead tracking server costs seconds, not the minutes of MLflow's own defaults.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "GIT_PYTHON_REFRESH": "quiet",
}
GARBAGE = 50_000, 20, 50
"""Limits of the garbage collector. torch, transformers, DeepSpeed, MLflow, Prefect are up to a million objects that stay; by
Python's own limits (700, 10, 10) up to a fourth of their import is spent on looking for garbage among them."""
LOOPBACK = ("127.0.0.1", "localhost")


def prepare(root: Path) -> None:
    """Set what the user has not set: telemetry off, Prefect's state under `root`/artifacts, `python` = this one; and GARBAGE.

    Ends the program where `root` lies in a folder with "?": the addresses of Prefect's and MLflow's databases end there, so that
    both would lie somewhere else."""
    if "?" in str(root.resolve()):
        sys.exit(f"error: {root.resolve()}: databases cannot lie in a folder with '?' in its path; rename the folder")
    gc.set_threshold(*GARBAGE)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(root / "artifacts/prefect"))
    for name in ("NO_PROXY", "no_proxy"):
        known = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join([*known, *(host for host in LOOPBACK if host not in known)])
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != folder:
        os.environ["PATH"] = os.pathsep.join([folder, path])
