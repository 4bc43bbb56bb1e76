"""The records that stages hand to each other. Every field is documented; every record is complete when built."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stages.data.display import label

Split = Literal["train", "validation", "heldout"]
VerifierName = Literal["integer", "math", "text", "choice", "code", "instructions", "judge", "reward_model"]


Label = Annotated[str, AfterValidator(label)]
"""A name that stands in tables, figures, file names and on terminals: without control characters."""


class Record(BaseModel):
    """A frozen row of a JSONL file; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Record):
    """One question with an answer that a verifier can judge (§2.1)."""

    id: Label = Field(min_length=1)
    """Unique over all splits of the data set."""
    source: Label = Field(min_length=1)
    """Where it comes from: "procedural", "gsm8k", "math", "tabmwp", or the name given in params.yaml."""
    licence: Label
    """SPDX id or name of the licence of the source."""
    family: Label = Field(min_length=1)
    """The suite it belongs to, for example "arithmetic", "chart", "gsm8k"; scores are reported by family."""
    domain: Label = Field(min_length=1)
    """Domain tag for coverage (§2.1), for example "mathematics", "logic", "chart reading"."""
    discipline: Label | None
    """Field within the domain (§2.1), for example "algebra"; None where neither the source nor the tagger says."""
    modality: Literal["text", "image"]
    """"image" when the question cannot be answered without `image`."""
    question: str = Field(min_length=1)
    """What the user asks, without the answer-format instruction."""
    image: str | None
    """Path of a PNG or JPEG file, relative to the project's root; None for text problems."""
    answer: str = Field(min_length=1)
    """The gold answer, as the verifier reads it: for "code" its tests as JSON (stages/verifiers/code_rewards.py), for
    "instructions" their list as JSON (stages/verifiers/instruction_rewards.py), for "judge" and "reward_model" a reference
    answer in free form."""
    verifier: VerifierName
    """Which rule of stages/verifiers judges a response."""
    grade: int = Field(ge=0, le=5)
    """Difficulty label of the source, 1 (easy) to 5 (hard); 0 when the source gives none."""
    split: Split
    solution_short: str | None
    """A short worked answer that ends in the boxed answer, when the source has one."""
    solution_long: str | None
    """A long worked answer (planning, evaluation, reflection, exploration), when the source has one."""
    parameters: dict[str, Any]
    """The procedural generator's own variables, from which its teacher can write further solutions; {} for real data. "rendered":
    the text of a question that was drawn as a picture (stages/problems/rendering.py)."""

    @property
    def wording(self) -> str:
        """The question in words: the text in the picture where it was drawn as one."""
        return str(self.parameters.get("rendered", self.question))

    @property
    def is_in_words(self) -> bool:
        """Whether `wording` is the whole question."""
        return self.modality == "text" or "rendered" in self.parameters


class CuratedProblem(Problem):
    """A problem that passed curation, with its measured difficulty (§2.1)."""

    pass_rate: float = Field(ge=0.0, le=1.0)
    """Share of right answers among the short model's samples; low means hard."""


class Demonstration(Record):
    """A prompt with a response to imitate (§2.2, §2.4)."""

    id: str = Field(min_length=1)
    problem_id: str
    family: str
    question: str = Field(min_length=1)
    image: str | None
    verifier: VerifierName
    """Of the problem; which instruction ends the prompt follows from it (stages/prompts/prompt.py)."""
    response: str = Field(min_length=1)
    response_ids: list[int] | None
    """Token ids when a model sampled the response (they are trained on as they are); None: tokenise `response`."""
    form: Literal["short", "long"]
    behaviours: dict[str, int]
    """How often each of planning, evaluation, reflection, exploration occurs in the response (§2.2)."""


class Sample(Record):
    """One sampled response with its verdict."""

    problem_id: str
    text: str
    token_ids: list[int] = Field(min_length=1)
    """The response's ids as sampled, the end token included when the model stopped by itself."""
    logprobs: list[float]
    """Behaviour log-probability of each token, natural log, at the sampling temperature."""
    finish: Literal["stop", "length", "repeat"]
    outcome: Literal["right", "wrong", "error"]
    reason: str
    """Why the verifier decided so."""


class Segment(Record):
    """The tokens that one iteration of RL added to a response (§2.6, partial rollouts)."""

    iteration: int = Field(ge=0)
    """Whose policy drew them."""
    token_ids: list[int] = Field(min_length=1)
    logprobs: list[float]
    """Behaviour log-probability of each token, natural log, at the sampling temperature."""


class Rollout(Record):
    """One response of RL, finished or not: member `member` of the group of K responses to one problem."""

    problem_id: str
    begun: int = Field(ge=0)
    """Iteration at which its group was drawn; with problem_id it names the group."""
    member: int = Field(ge=0)
    segments: list[Segment]
    """In order; [] before the first token."""
    finish: Literal["stop", "length", "repeat"] | None
    """None: unfinished, to be continued."""


class SampleGroup(Record):
    """All samples of one problem (the k of eq. 3, the n = 8 of §2.4)."""

    problem: CuratedProblem
    samples: list[Sample] = Field(min_length=1)


class Finding(Record):
    """What happened to one row of a source or one problem: an exclusion, or a change that is not silent."""

    id: str
    """The problem's id; "" when the row was too broken to have one."""
    where: str
    """Where the row stands, as file:line; the source's name for generated problems."""
    rule: str = Field(min_length=1)
    """The rule that removed or changed it, for example "malformed row", "multiple choice", "resized"."""
    reason: str = Field(min_length=1)
    """What was found, in a sentence."""
