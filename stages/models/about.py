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


def about(folder: Path) -> About:
    """Of the model in `folder`. DataError where there is none that transformers knows."""
    from stages.models.families import reads_pictures
    from stages.models.loading import load_config

    config = load_config(folder)
    return About(label_of(config), reads_pictures(config))
