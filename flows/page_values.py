"""What a run that is started from Prefect's page, or over its interface, may set.

Numbers, switches and choices are free. Text that becomes a path, a model to load or an address must be a value that the checkout's
params.yaml or a preset gives (launcher words and host files are no parameters at all): whoever gets at the page then starts what
the project holds, and nothing else."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter

from flows import overrides
from flows.graph import MODELS, flat
from stages.run.params import Params, ParamsError, load

TEXTS = frozenset({"model.instruction", "model.system"})
"""Parameters that are words to a model, and nothing else."""
COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def accepted(root: Path, preset: str | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """The dotted overrides of a form: presets, then `values`. Raises ParamsError for what the page may not set."""
    for name in preset.split(",") if preset else ():
        if name not in overrides.presets():
            raise ParamsError(f"no preset {name!r}; there are: {', '.join(overrides.presets())}")
    known = _known(root)
    for key, value in flat(values).items():
        if any(_texts(value)) and key not in TEXTS and not _is_choice(key) and not _is_known(value, known.get(key, [])):
            raise ParamsError(_refusal(key, value, known.get(key, ())))
    return overrides.chosen(preset, None, ()) | dict(values)


def model(root: Path, source: str, revision: str | None) -> None:
    """Raise ParamsError for a model that is neither a checkpoint of this checkout nor named in params.yaml or a preset."""
    known = _known(root)
    own = [f"{MODELS}{path.name}" for path in sorted((root / MODELS).glob("*")) if path.is_dir()]
    allowed = [value for value in [*own, *known["model.source"]] if value != "scratch"]
    if source not in allowed:
        raise ParamsError(_refusal("model", source, allowed))
    if revision is not None and not COMMIT.fullmatch(revision) and revision not in known["model.revision"]:
        raise ParamsError(f"revision {revision!r}: expected a commit, 40 hexadecimal digits")


def folder(root: Path, key: str, path: str) -> None:
    """Raise ParamsError for a path that is no known value of the parameter `key`."""
    if path not in (known := _known(root).get(key, [])):
        raise ParamsError(_refusal(key, path, known))


def name(text: str) -> None:
    """Raise ParamsError for a name that could leave its folder or be an option of a command."""
    if not NAME.fullmatch(text) or ".." in text:
        raise ParamsError(
            f"name {text!r}: expected letters, digits, dots, hyphens and underscores, beginning with a letter or digit"
        )


def _refusal(key: str, value: object, known: object) -> str:
    listed = [repr(one) for one in known if one is not None] if isinstance(known, list) else []
    return (
        f"{key}: {value!r} is not accepted from the page, which may only choose among {', '.join(listed) or 'nothing'}; "
        "set it in params.yaml or a preset, or start the run on a terminal with -S"
    )


def _known(root: Path) -> dict[str, list[Any]]:
    """The values that params.yaml and the presets give, by dotted name."""
    found: dict[str, list[Any]] = {}
    given = [load(root / "params.yaml").model_dump(), *map(overrides.preset, overrides.presets())]
    for values in given:
        for key, value in flat(values).items():
            if value not in found.setdefault(key, []):
                found[key].append(value)
    return found


def _is_known(value: Any, known: list[Any]) -> bool:
    """Whether a value, or each entry of a list, is given for its parameter."""
    entries = [one for each in known if isinstance(each, list) for one in each]
    return value in known or (isinstance(value, list) and all(one in entries for one in value))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _is_choice(key: str) -> bool:
    """Whether the type of a parameter leaves no text free: where it takes any, it is one of a list."""
    kind: Any = Params
    for part in key.split("."):
        section = next((one for one in [kind, *get_args(kind)] if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if section is None or part not in section.model_fields:
            return False
        kind = section.model_fields[part].annotation
    return not _free(TypeAdapter(kind).json_schema())


def _free(schema: Any) -> bool:
    """Whether a JSON schema takes texts that it does not list."""
    if isinstance(schema, list):
        return any(map(_free, schema))
    if not isinstance(schema, dict):
        return False
    if schema == {} or (schema.get("type") == "string" and not {"enum", "const"} & {*schema}):
        return True
    return any(_free(value) for name, value in schema.items() if name not in ("title", "description", "default", "enum", "const"))
