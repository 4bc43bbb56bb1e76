"""A small real repository for the tests of flows: git, DVC, two stages through flows.stage."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2]
TOYS = Path(__file__).parent / "toys"
OURS = ("PREFECT_", "MLFLOW_", "K15_", "DVC_", "GIT_", "CI")


def environ(home: Path) -> dict[str, str]:
    """Our environment without what a user or a runner may have set for the tools under test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    activated = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    paths = {"PATH": activated, "PYTHONPATH": f"{PROJECT}{os.pathsep}{TOYS}", "HOME": str(home), "OMP_NUM_THREADS": "1"}
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
    return {**kept, **paths, **who, "K15_TRACKING": "off", "DO_NOT_TRACK": "true"}


KEYS: dict[str, str] = {}
"""By the address of a server of these tests: what its clients must send, `user:key`."""


def clients(environ: dict[str, str]) -> dict[str, str]:
    """The environment of a client, with the key of the server that it names."""
    login = KEYS.get(environ.get("PREFECT_API_URL", ""))
    return {**environ, "PREFECT_API_AUTH_STRING": login} if login else environ


Pids = Callable[[float], list[int]]
Nobody = Callable[[list[int], float], None]


@dataclass
class Toy:
    """The repository with shorthands."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    def call(self, *words: str, timeout: float = 240, **extra: str) -> subprocess.CompletedProcess[str]:
        """`python WORDS` in the repository, output captured, `extra` added to the environment."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env=clients({**self.environ, **extra}),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *words: str, **extra: str) -> subprocess.Popen[str]:
        """The same, in the background."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.root,
            env=clients({**self.environ, **extra}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ran(self) -> list[str]:
        """Names of the executed stages, in order, since the last call."""
        path = self.root / "ran.txt"
        names = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return names


def build(root: Path, graph: str = "toy_graph.yaml") -> Toy:
    """A committed repository: make -> use, or another graph of toys/; with the project's own params.yaml and .dvc/config."""
    toy = Toy(root, environ(root / "home"))
    (root / "home").mkdir(parents=True)
    (root / ".dvc").mkdir()
    for name in ("params.yaml", ".dvc/config", ".dvc/.gitignore"):
        shutil.copy(PROJECT / name, root / name)
    shutil.copy(TOYS / graph, root / "dvc.yaml")
    (root / ".gitignore").write_text("artifacts/\n.runs/\nhome/\nran.txt\nmlflow*\n")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "toy"]):
        subprocess.run(["git", *words], cwd=root, env=toy.environ, check=True)
    return toy
