"""Sections of the stages that are off by default: params.yaml holds one for each NAME of `code_tests@NAME`, and none at first."""

from pydantic import Field

from stages.run.sections import Section


class CodeTests(Section):
    """Test-case generation for one file of code problems (§2.3.5)."""

    problems: str = Field(min_length=1)
    """File of the problems, one a line (stages/curation/code_problems.py)."""
    endpoint: str | None
    """Address of the model that writes generators; None: `model` is a checkpoint folder that is asked here."""
    model: str | None
    """None: only generators that the file brings are run."""
    inputs: int = Field(ge=1)
    submissions: int = Field(ge=1)
    agree: int = Field(ge=1)
    min_tests: int = Field(ge=1)
    passing: int = Field(ge=1)
    seconds: float = Field(gt=0)
    """CPU time of one run of a submission or a generator."""
