"""What a checkpoint folder says of its model, for programs that load no weights; transformers is imported when it is asked."""

from dataclasses import dataclass
from pathlib import Path

from stages.models.origin import label_of


@dataclass(frozen=True)
class About:
    """A model in a folder."""

    label: str
    """What it came from (stages.models.origin)."""
    pictures: bool
    """Whether it reads them."""


def about(source: str | Path, revision: str | None = None) -> About:
    """The label of the model in a folder or of a hub id, and whether it reads pictures. DataError
    where `source` is no model that transformers knows."""
    from stages.models.families import reads_pictures
    from stages.models.loading import load_config

    config = load_config(source, revision)
    return About(label_of(config), reads_pictures(config))
