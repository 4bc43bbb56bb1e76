"""Checkpoints in MLflow: a stage that writes a model logs it; an evaluation gives it scores, a version in the registry, an alias.

The weights stay in DVC: what MLflow holds is name, DVC's hash, parameters and scores. One checkpoint with one hash is one model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows import graph
from flows.tracking import Store

REGISTERED = "k15"
"""Name in MLflow's registry; its versions are the evaluated checkpoints."""
ALIASES: Mapping[str, str] = {"long_rl": "long-cot", "short_rl": "short-cot"}
"""Alias of the newest evaluated version of a checkpoint; any other has its own name, with hyphens."""


def log_written(store: Store, root: Path, stage: str, run: str, facts: graph.Facts) -> list[str]:
    """Log the checkpoints that `stage` just wrote; returns their ids."""
    digests = graph.digests(root, stage) if facts.models else {}
    ids = [ensure(store, name, digest, run, {**facts.params}, facts.key) for name, digest in digests.items()]
    for found in ids:
        store.writes(run, found)
    return ids


def log_read(store: Store, run: str, facts: graph.Facts) -> dict[str, str]:
    """The checkpoints that a stage reads as inputs of its run; ids by name. Those that no run logged are made known here."""
    ids = {}
    for path, value in facts.inputs.items():
        if path.startswith(graph.MODELS):
            name = Path(path).name
            ids[name] = ensure(store, name, value, None, {}, None)
            store.reads(run, ids[name])
    return ids


def ensure(store: Store, name: str, digest: str, run: str | None, params: Mapping[str, Any], key: str | None) -> str:
    """The id of the logged model `name` with the hash `digest`, made when there is none."""
    where = f"name = '{name}' AND tags.digest = '{digest}'"
    known = store.client.search_logged_models([store.experiment], where, max_results=1)
    if known:
        return str(known[0].model_id)
    tags = {"digest": digest, "path": f"{graph.MODELS}{name}", **({"stage_key": key} if key else {})}
    values = {key: str(value)[:500] for key, value in params.items()}
    made = store.client.create_logged_model(store.experiment, name, run, tags, values, "checkpoint")
    store.client.finalize_logged_model(made.model_id, "READY")
    return str(made.model_id)


def log_evaluated(store: Store, run: str, models: Mapping[str, str], results: tuple[Path, ...]) -> None:
    """Scores of an evaluation to its checkpoint, which becomes a version of the registered model and takes its alias; one that is
    another checkpoint, handed on, has none of its own."""
    for path in results:
        if path.suffix == ".json" and path.stem in models and path.is_file():
            scores = json.loads(path.read_text(encoding="utf-8"))
            if "same_as" in scores:
                continue
            parts = {name: scores[name] for name in ("suites", "benchmarks") if name in scores}
            store.metrics(run, [{"step": 0, "time": path.stat().st_mtime, **parts}], models[path.stem])
            register(store, run, path.stem, models[path.stem])


def register(store: Store, run: str, name: str, model: str) -> str:
    """The version of the registered model that is the logged model `model`, made when there is none; it takes the alias."""
    client = store.client
    if not client.search_registered_models(f"name = '{REGISTERED}'"):
        client.create_registered_model(
            REGISTERED, description="Checkpoints of the recipe that were evaluated; the weights are in DVC."
        )
    source = client.get_logged_model(model).artifact_location  # models:/ID would be looked up in the default store
    versions = [one for one in client.search_model_versions(f"name = '{REGISTERED}'") if one.source == source]
    if not versions:
        tags = {"checkpoint": name, "path": f"{graph.MODELS}{name}"}
        versions = [client.create_model_version(REGISTERED, source, run, tags, model_id=model)]
    client.set_registered_model_alias(REGISTERED, ALIASES.get(name, name.replace("_", "-")), versions[0].version)
    return str(versions[0].version)
