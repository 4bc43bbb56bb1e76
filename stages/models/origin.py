"""Where a checkpoint's first weights come from, kept in its config.json, so that it goes with every
checkpoint that is trained, merged or copied from it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.data.files import DataError
from stages.models.gguf import SUFFIX, is_gguf, stored_as
from stages.models.registry_package import is_package, package_file

KEY = "k15_origin"
"""The entry of config.json; transformers keeps entries that it does not know."""
SCRATCH = "made here from random weights"


@dataclass(frozen=True)
class Origin:
    """The model that a run started from."""

    name: str
    """For readers: "SmolLM2-135M-Instruct"."""
    source: str
    """model.source of that run."""
    revision: str | None
    dequantised_from: str | None
    """The type of the stored weights where they were rounded before they came here: "Q4_1"."""

    @property
    def label(self) -> str:
        """How tables, tags and programs call every model that came of it."""
        return self.name + (f", dequantised from {self.dequantised_from}" if self.dequantised_from else "")


def origin_of_source(source: str, revision: str | None) -> Origin:
    """Of a model.source that is not scratch. DataError where the source cannot be read."""
    if not (is_package(source) or is_gguf(source)):
        return Origin(Path(source).name, source, revision, None)
    file = package_file(source, revision) if is_package(source) else Path(source)
    kind = stored_as(file)
    name = file.name.removesuffix(SUFFIX)
    if kind is not None and name.upper().endswith(kind):
        name = name[: -len(kind)].rstrip("-._")
    return Origin(name, source, revision, kind)


def mark(config: Any, origin: Origin) -> None:
    """Note the origin in a config, unless it has one: a checkpoint of another run keeps its own."""
    if origin_of(config) is None:
        setattr(config, KEY, asdict(origin))


def origin_of(config: Any) -> Origin | None:
    """Of a model's config, or of the content of a config.json; None where none is noted. DataError for
    an entry that is none."""
    found = config.get(KEY) if isinstance(config, dict) else getattr(config, KEY, None)
    if found is None:
        return None
    try:
        return Origin(**found)
    except TypeError as error:
        raise DataError(f"config.json: {KEY} is {found!r}, expected {', '.join(Origin.__annotations__)}; remove it") from error


def label_of(config: Any) -> str:
    """What the model is called wherever results are shown."""
    origin = origin_of(config)
    return SCRATCH if origin is None else origin.label
