"""A server of the project behind flows.guard, on loopback: `python -m flows.guarded prefect | mlflow PORT`, in the checkout.

Prefect's interface and sockets ask for the key themselves (its own authentication). MLflow's asks by HTTP Basic, in the guard.
MLflow's store is MLFLOW_TRACKING_URI, never a word of the command line, which other users could read."""

import argparse
import os
from pathlib import Path

from flows import environment
from flows.guard import App, Guard
from flows.keys import auth, key


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m flows.guarded", description=__doc__)
    parser.add_argument("server", choices=["prefect", "mlflow"])
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    root, port = Path.cwd(), options.port
    environment.prepare(root)
    make, login = (_prefect, None) if options.server == "prefect" else (_mlflow, auth(root))
    guarded = Guard(make(root, f"127.0.0.1:{port}"), port, key(root), login)
    import uvicorn

    uvicorn.run(guarded, host="127.0.0.1", port=port, proxy_headers=False, server_header=False, log_level="warning")


def _prefect(root: Path, host: str) -> App:
    """Prefect's server with its services and its page."""
    url = f"http://{host}"
    os.environ |= {
        "PREFECT_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_API_AUTH_STRING": auth(root),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
    }
    from prefect.server.api.server import create_app

    app: App = create_app(final=True)
    return app


def _mlflow(root: Path, host: str) -> App:
    """MLflow's page and interface."""
    from flows import mlflow_page

    app: App = mlflow_page.page(root, host)
    return app


if __name__ == "__main__":
    main()
