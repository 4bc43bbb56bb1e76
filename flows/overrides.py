"""Values of a command line or a preset go into params.yaml in place, comments kept."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.data.files import put_in_place
from stages.run.params import ParamsError, load

PRESETS = Path(__file__).parent / "presets"


def presets() -> list[str]:
    """Names of all presets."""
    return sorted(found.stem for found in PRESETS.glob("*.yaml"))


PRESET_HELP = f"{', '.join(presets())}, or the path of a file that `k15 init` wrote; several with commas, the later wins"
"""Of --preset, for the command lines that take it."""


def chosen(name: str | None, folder: Path | None, words: Iterable[str]) -> dict[str, Any]:
    """The dotted overrides of a command line; later ones win: presets ("real-data,one-gpu"), each with what it takes of --data (the
    preset of its name and "-data") where that is given, then --data, then -S."""
    values: dict[str, Any] = {}
    for one in name.split(",") if name else ():
        values |= preset(one)
        if folder and f"{one}-data" in presets():
            values |= preset(f"{one}-data")
    values |= data(folder) if folder else {}
    return values | parse(words)


def preset(name: str) -> dict[str, Any]:
    """The dotted overrides of flows/presets/<name>.yaml, or of a file of that form where `name` ends in .yaml or .yml.

    Raises ParamsError when there is no such preset or file, or when it has another form."""
    is_path = name.endswith((".yaml", ".yml"))
    path = Path(name) if is_path else PRESETS / f"{name}.yaml"
    if not path.is_file():
        hint = f"; there are: {', '.join(presets()) or 'none'}" if not is_path else "; `k15 init` writes one"
        raise ParamsError(f"no {'file' if is_path else 'preset'} {name!r}{hint}")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from error
    if not isinstance(found, dict):
        raise ParamsError(f"{path}: expected lines 'section.key: value', found {type(found).__name__}")
    return found


def data(folder: Path) -> dict[str, Any]:
    """What `--data DIR` stands for: DIR/train and DIR/bench. Raises ParamsError when one is missing."""
    parts = {"collect.root": folder / "train", "evaluate.root": folder / "bench"}
    for path in parts.values():
        if not path.is_dir():
            raise ParamsError(f"--data {folder}: no folder {path}; expected {folder}/train and {folder}/bench")
    return {key: str(path) for key, path in parts.items()}


def parse(words: Iterable[str]) -> dict[str, Any]:
    """`section.key=value` words, the value read as YAML. Raises ParamsError for one without `=`."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ParamsError(f"-S {word}: expected section.key=value, for example -S rl.long.tau=0.2")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ParamsError(f"-S {word}: the value is not YAML: {error}") from error
    return found


def apply(values: Mapping[str, Any], path: Path = Path("params.yaml")) -> dict[str, tuple[Any, Any]]:
    """Write the dotted `values` into `path` if the whole is then valid; returns {key: (old, new)} of what changed.

    Raises ParamsError, the file untouched, for an unknown key (with the nearest known one) or a wrong value."""
    load(path)
    editor = _editor()
    tree = editor.load(path)
    changed = put(values, tree, path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        editor.dump(tree, beside)
        try:
            load(beside)
        except ParamsError as error:
            raise ParamsError(str(error).replace(str(beside), str(path))) from None
        if changed:
            put_in_place(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return changed


def put(values: Mapping[str, Any], tree: dict[str, Any], path: Path) -> dict[str, tuple[Any, Any]]:
    """Put the dotted `values` into the nested `tree` read from `path`; returns {key: (old, new)} of what changed.

    Raises ParamsError where a section is named that is a value. Unknown keys are for the validation to find."""
    changed = {}
    for key, value in values.items():
        *sections, last = key.split(".")
        place: Any = tree
        for name in sections:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ParamsError(f"{path}: {key!r}: {name!r} is a value, not a section")
        if last not in place or place[last] != value:
            changed[key] = (place.get(last), value)
            place[last] = value
    return changed


def _editor() -> Any:
    """A YAML reader and writer that keeps comments, quotes, and `null` written out."""
    from ruamel.yaml import YAML  # comes with DVC
    from ruamel.yaml.representer import RoundTripRepresenter

    class Written(RoundTripRepresenter):
        """Null as the word; 2e-05 as 2.0e-05, which YAML 1.1 reads as a number."""

    def number(writer: Any, value: float) -> Any:
        text = repr(value)
        return writer.represent_scalar("tag:yaml.org,2002:float", text if "." in text else text.replace("e", ".0e"))

    Written.add_representer(type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null"))
    Written.add_representer(float, number)
    editor = YAML()
    editor.Representer = Written
    editor.preserve_quotes = True
    editor.width = 4096
    editor.indent(mapping=2, sequence=4, offset=2)
    return editor
