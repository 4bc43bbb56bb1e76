"""Demonstrations and documents become training samples: prompt ids and pixels, response ids, positions, loss mask."""

from collections.abc import Sequence
from typing import Any

from stages.data.records import Demonstration
from stages.models.families import reads_pictures
from stages.models.positions import position_ids
from stages.models.text_only import TEXT_ONLY
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.run.params import Hardware
from stages.training.batches import TrainingSample


def demonstration_samples(
    demonstrations: Sequence[Demonstration], renderer: Renderer, model: Any
) -> tuple[list[TrainingSample], list[dict[str, str]]]:
    """Samples with loss on the response only, and the demonstrations left out, with reasons: those that exceed the context, and for
    a text-only model those with pictures."""
    pictures = reads_pictures(model)
    readable = [row for row in demonstrations if pictures or row.image is None]
    samples = []
    left_out = [{"id": row.id, "reason": TEXT_ONLY} for row in demonstrations if not (pictures or row.image is None)]
    prompts = renderer.render([Prompt.of(row) for row in readable], room=None, remade=True)
    written = renderer.responses([row.response for row in readable]) if readable else []
    for demonstration, prompt, ids in zip(readable, prompts, written, strict=True):
        response = tuple(demonstration.response_ids or ids)
        length = len(prompt.token_ids) + len(response)
        if length > renderer.context:
            reason = f"{length} tokens of prompt and response exceed model.context = {renderer.context}"
            left_out.append({"id": demonstration.id, "reason": reason})
            continue
        samples.append(TrainingSample(prompt, response, position_ids(model, prompt, len(response)), name=demonstration.id))
    return samples, left_out


def picture_filler(renderer: Renderer, model: Any, hardware: Hardware) -> TrainingSample | None:
    """The picture sample without loss that text-only micro-batches need where gradients are partitioned (ZeRO 1 to 3): a rank
    whose vision tower gets no gradient reduces less than the others, which hangs or mixes up parameters. None otherwise, and for
    models without a vision tower."""
    if hardware.zero_stage == 0 or not reads_pictures(model):
        return None
    blank = renderer.blank()
    return TrainingSample(blank, (), position_ids(model, blank, 0))
