"""Sections of what is off by default: test-case generation and reward models (one section for each NAME of `code_tests@NAME`
and `reward_model@NAME`, none at first), and teachers of the warm-up set."""

from pydantic import Field, model_validator

from stages.run.sections import Address, Limits, Section, WarmUpLimit


class CodeTests(Section):
    """Test-case generation for one file of code problems (§2.3.5)."""

    problems: str = Field(min_length=1)
    """File of the problems, one a line (stages/curation/code_problems.py)."""
    endpoint: Address | None
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


class Teacher(Section):
    """Who writes the long demonstrations instead of the procedural solvers and the published solutions (§2.2)."""

    file: str | None
    """JSONL of {problem_id, response}; None: `model` is asked."""
    endpoint: Address | None
    """Address of an OpenAI-compatible server; None: `model` is a checkpoint folder that is asked here."""
    model: str | None
    temperature: float = Field(ge=0)
    max_tokens: int = Field(ge=1)
    per_prompt: int = Field(ge=1)
    """Right demonstrations of a prompt that are kept at most, chosen so that the four behaviours are in balance."""

    @model_validator(mode="after")
    def one(self) -> "Teacher":
        """A file or a model, not both."""
        if (self.file is None) == (self.model is None):
            raise ValueError("a teacher is a file or a model; give exactly one of them")
        return self


class SelfTaught(Section):
    """How the model itself writes demonstrations for problems that nobody has solved in writing (§2.2)."""

    temperature: float = Field(ge=0)
    max_tokens: int | None = Field(ge=1)
    """None: all that model.context leaves."""
    per_prompt: int = Field(ge=1)
    """As of a teacher."""


class WarmUp(Section):
    tries: int = Field(ge=1)
    hazard: float = Field(ge=0, lt=1)
    terse_share: float = Field(ge=0, le=1)
    min_rows: int = Field(ge=1)
    limits: dict[WarmUpLimit, Limits]
    teacher: Teacher | None
    self_taught: SelfTaught | None
    """None: such problems stay without a demonstration. Read without a teacher only."""


class RewardModelling(Section):
    """Training of one classic reward model and one chain-of-thought judge (§2.3.5)."""

    init: str = Field(min_length=1)
    """Checkpoint folder that both start from."""
    rows: str = Field(min_length=1)
    """JSONL of {question, reference, response, label}, or groups.jsonl of the stage sample."""
    context: int = Field(ge=64)
    """Tokens of prompt and judgement together; the judge's prompt alone takes some hundred."""
    check_share: float = Field(gt=0, lt=1)
    """Of the questions, for the spot check."""
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)
    max_tokens: int = Field(ge=1)
    """Of one judgement."""
