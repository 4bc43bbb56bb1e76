"""MLflow's page over the project's store, for flows.guarded."""

import os
from pathlib import Path
from typing import Any

from flows.tracking import store


def page(root: Path, host: str) -> Any:
    """MLflow's page and interface over the store, as an ASGI application that is reached as `host`. The variables are those that
    `mlflow ui` sets for its own server (mlflow/server/__init__.py of 3.17)."""
    uri = store(root)
    files = root.resolve() / "artifacts/mlflow"
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": (files / "files").as_uri(),
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(files / "uploads"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 13 processes and 2.7 GB that reading runs does not need
        "MLFLOW_SERVER_ALLOWED_HOSTS": host,
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": f"http://{host}",
    }
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(uri, uri, (files / "files").as_uri())
    return app
