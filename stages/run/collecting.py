"""The section collect of params.yaml: where problems come from (§2.3.5)."""

from typing import Literal

from pydantic import Field

from stages.data.records import Label
from stages.run.sections import Section

Adapter = Literal["own", "gsm8k", "math", "tabmwp", "mbpp", "leetcode", "mmmu"]


class Source(Section):
    """One entry of collect.sources. What has a default here need not be written there."""

    kind: Literal["procedural", "gsm8k", "math", "tabmwp", "mbpp", "leetcode", "mmmu", "jsonl", "csv", "parquet", "hub"]
    families: list[Label]
    """Procedural families, or the one family name of another source."""
    train: int = Field(ge=1)
    """Problems kept for training (of each family); the same for the next two."""
    validation: int = Field(ge=0)
    heldout: int = Field(ge=0)
    level: Literal[1, 2, 3, 4] = 1
    """Difficulty of procedural text families: 1 for models of a million weights, 2 to 4 for pretrained ones."""
    path: str | None
    """File of the source under collect.root; owner/name of a data set of the hub; null for procedural ones."""
    adapter: Adapter = "own"
    """Form of the rows of the kinds jsonl, csv, parquet and hub; "own": fields of stages/problems/jsonl.py."""
    columns: dict[str, str] = Field({})
    """Field of the adapter -> column of the source; {}: the columns are the fields."""
    values: dict[str, str | int] = Field({})
    """Field of the adapter -> its value in every row, for example {licence: MIT}."""
    revision: str | None = None
    """Commit of the hub's data set."""
    subset: str | None = None
    """Its configuration."""
    split: str = Field("train", min_length=1)
    """Its split that is read; ours follow from the questions."""
    free_answer: bool = False
    """Multiple choice becomes a question with a free answer where that is sound; the rest falls to curate's exclusions."""
    render_share: float = Field(0.0, ge=0, le=1)
    """Share of its text problems that are there as a picture of their text as well."""


class Collect(Section):
    root: str
    sources: list[Source] = Field(min_length=1)
    max_image_pixels: int = Field(ge=1)
    near_duplicate: float | None = Field(gt=0, le=1)
