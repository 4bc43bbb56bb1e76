"""The section evaluate of params.yaml: which checkpoints, on what, and how responses are drawn (§3.1)."""

from typing import Annotated

from pydantic import Field, model_validator

from stages.run.phases import PHASES
from stages.run.sections import BenchmarkName, Outside, Section


class Evaluate(Section):
    checkpoints: Annotated[list[str], Outside.GRAPH] = Field(min_length=1)
    root: str
    benchmarks: list[BenchmarkName]
    limit: int | None
    samples: int = Field(ge=1)
    benchmark_samples: int = Field(ge=1)
    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    max_tokens: int = Field(ge=1)

    @model_validator(mode="after")
    def known(self) -> "Evaluate":
        """Checkpoints of the recipe, each once."""
        names, known = self.checkpoints, ("base", *PHASES)
        for place, name in enumerate(names):
            if name not in known:
                raise ValueError(f"checkpoints: {name!r} is none; there are: {', '.join(known)}")
            if name in names[:place]:
                raise ValueError(f"checkpoints: {name} is there twice")
        return self
