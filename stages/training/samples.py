"""Demonstrations and documents become training samples: prompt ids and pixels, response ids, positions, loss mask."""

from collections.abc import Sequence
from typing import Any

from stages.data.records import Demonstration
from stages.models.families import reads_pictures
from stages.models.positions import position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.run.params import Hardware
from stages.training.batches import TrainingSample


def demonstration_samples(
    demonstrations: Sequence[Demonstration], renderer: Renderer, model: Any
) -> tuple[list[TrainingSample], list[dict[str, str]]]:
    """Samples with loss on the response only, and the demonstrations left out because they exceed the context, with reasons."""
    prompts = renderer.render([Prompt.of(row) for row in demonstrations], room=None, remade=True)
    written = renderer.responses([row.response for row in demonstrations]) if demonstrations else []
    samples, left_out = [], []
    for demonstration, prompt, ids in zip(demonstrations, prompts, written, strict=True):
        response = tuple(demonstration.response_ids or ids)
        length = len(prompt.token_ids) + len(response)
        if length > renderer.context:
            reason = f"{length} tokens of prompt and response exceed model.context = {renderer.context}"
            left_out.append({"id": demonstration.id, "reason": reason})
            continue
        samples.append(TrainingSample(prompt, response, position_ids(model, prompt, len(response))))
    return samples, left_out


def picture_filler(renderer: Renderer, model: Any, hardware: Hardware) -> TrainingSample | None:
    """The picture sample without loss that text-only micro-batches need where gradients are partitioned (ZeRO 1 to 3): a rank
    whose vision tower gets no gradient reduces less than the others, which hangs or mixes up parameters. None otherwise, and for
    models without a vision tower."""
    if hardware.zero_stage == 0 or not reads_pictures(model):
        return None
    blank = renderer.blank()
    return TrainingSample(blank, (), position_ids(model, blank, 0))
