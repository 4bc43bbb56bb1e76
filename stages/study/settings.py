"""study/params.yaml, typed: the seeds, what differs from params.yaml in all runs, and what each variant changes."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from stages.data.files import DataError
from stages.run.params import ParamsError, parsed
from stages.run.sections import Section

PATHS = ("collect.root", "evaluate.root", "report.columns")
"""Parameters that name a folder relative to the project; a run of the study works in a folder of its own."""
CONTROL = "control"
"""The variant that all others are compared with: the recipe as params.yaml has it."""


class Settings(Section):
    seeds: list[int] = Field(min_length=2)
    changes: dict[str, Any]
    """Dotted names of params.yaml -> value, for all runs."""
    variants: dict[str, dict[str, Any]]
    """Name -> dotted names of params.yaml -> value."""


def read_settings(path: Path) -> Settings:
    """The settings in `path`. DataError names file and field, or a name that no folder can have."""
    if not path.exists():
        raise DataError(f"{path}: no such file in {Path.cwd()}; run from the project's root")
    try:
        found = Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    for name in found.variants:
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise DataError(f"{path}: variant {name!r}: expected small letters, digits and _, since it names stages and folders")
    if CONTROL not in found.variants:
        raise DataError(f"{path}: no variant {CONTROL!r}, which the others are compared with; add `{CONTROL}: {{}}`")
    if len({*found.seeds}) < len(found.seeds):
        raise DataError(f"{path}: seeds {found.seeds}: each seed once")
    return found


def parameters(own: Path, seed: int, changes: Mapping[str, Any], settings: Path) -> dict[str, Any]:
    """The nested parameters of `own` (params.yaml) with dotted `changes` and `seed`, folders absolute. Raises ParamsError that
    names an unknown parameter with the nearest known one, and `settings` as the place to correct it."""
    tree = yaml.safe_load(own.read_text(encoding="utf-8"))
    for key, value in {**changes, "seed": seed}.items():
        _put(tree, key, copy.deepcopy(value), settings)
    checked = parsed(tree, settings)
    if checked.hardware.processes > 1:
        raise ParamsError(f"{settings}: hardware.processes is {checked.hardware.processes}; the study trains on one process a run")
    for key in PATHS:
        section, name = key.split(".")
        tree[section][name] = str((own.parent / tree[section][name]).resolve())
    for section, name in (("model", "source"), ("judge", "model")):
        value = tree[section][name]
        if value not in (None, "scratch") and (own.parent / value).is_dir():  # a checkpoint of the user's, no hub id
            tree[section][name] = str((own.parent / value).resolve())
    return dict(tree)


def _put(tree: dict[str, Any], key: str, value: Any, settings: Path) -> None:
    *sections, last = key.split(".")
    place: Any = tree
    for name in sections:
        place = place.get(name) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise ParamsError(f"{settings}: no parameter {key!r}: params.yaml has no section {'.'.join(sections)!r}")
    place[last] = value
