"""The trainer's log-probabilities of one response, by which the golden prompts of a rollout engine are judged."""

from collections.abc import Sequence
from functools import partial

from stages.data.records import Problem
from stages.models.positions import position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer
from stages.rollout.golden import TOLERANCES, Golden
from stages.run.params import Hardware
from stages.training.batches import TrainingSample, pack
from stages.training.engine import Engine, forwards
from stages.training.samples import picture_filler


def response_log_probs(
    engine: Engine, hardware: Hardware, renderer: Renderer, prompt: Rendered, response: Sequence[int]
) -> list[float]:
    """Natural log-probability of each token of `response` after `prompt`, at the temperature that the trainer was started with.
    All ranks must call, each with a response of its own."""
    sample = TrainingSample(prompt, tuple(response), position_ids(engine.model, prompt, len(response)))
    filler = picture_filler(renderer, engine.model, hardware)
    batches = pack([sample], hardware.micro_batch_tokens, renderer.processor.tokenizer.pad_token_id or 0, filler)
    ((_, logp),) = forwards(engine, batches)
    found: list[float] = logp.float().cpu().tolist()
    return found


def golden_prompts(
    engine: Engine, hardware: Hardware, renderer: Renderer, problems: Sequence[Problem], temperature: float
) -> Golden | None:
    """The first text and the first picture problem, judged by the trainer at the `temperature` that it was started with; None where
    the rollout engine has the trainer's own weights and code."""
    if hardware.engine == "transformers":
        return None
    first = {problem.modality: problem for problem in reversed(problems)}
    prompts = tuple(Prompt.of(problem) for problem in first.values())
    return Golden(prompts, temperature, partial(response_log_probs, engine, hardware, renderer), TOLERANCES[engine.device.type])
