"""MLflow's store keeps absolute paths; in a checkout that was moved or copied they are another's. Here they become its own."""

import sqlite3
from contextlib import closing
from pathlib import Path

COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow 3.17 keeps places of files."""


def relocate(database: Path, experiment: str, files: str) -> bool:
    """Let all places below that of `experiment` be below the address `files`; False where they are already. Their files were moved
    or copied with the store, since both lie in the checkout."""
    with closing(sqlite3.connect(database, timeout=30)) as store, store:
        found = store.execute("SELECT artifact_location FROM experiments WHERE name = ?", (experiment,)).fetchone()
        if found is None or found[0] == files:
            return False
        old = found[0]
        for table, column in COLUMNS:
            moved = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?"
            store.execute(moved, (files, len(old) + 1, old, len(old) + 1, f"{old}/"))
    return True
