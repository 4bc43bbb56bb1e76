"""A checkpoint that a run starts from, of whatever source, becomes an ordinary folder."""

from pathlib import Path
from typing import Any

import torch

from stages.models.families import reads_pictures
from stages.models.loading import load_config, load_model, load_processor
from stages.models.origin import mark, origin_of_source
from stages.models.trainable import check_trainable
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.prompts.template import use_template
from stages.run.params import Model


def adopt(model: Model, out: Path) -> None:
    """Write the checkpoint that the run starts from as an ordinary folder, its weights as they are.
    Only rank 0 is here, and no other waits: a download may take hours. The processor comes first,
    since it costs seconds to find that it is of no use."""
    processor = adopted_processor(model)
    renderer = Renderer.of(processor, model)
    if reads_pictures(processor):
        renderer.blank()
    (sample,) = renderer.render([Prompt("What is 1 + 1?", None)])
    own = load_config(model.source, model.revision).dtype or torch.float32
    net = load_model(model.source, torch.device("cpu"), model.revision, own)
    check_trainable(net, processor, sample)
    mark(net.config, origin_of_source(model.source, model.revision))
    net.save_pretrained(out)
    processor.save_pretrained(out)


def adopted_processor(model: Model) -> Any:
    """The checkpoint's processor, with model.chat_template in the place of its own template. DataError for a template that later
    stages could not use, before any weights are loaded."""
    processor = load_processor(model.source, model.revision)
    if model.chat_template is not None:
        use_template(processor, Path(model.chat_template))
    Renderer.of(processor, model).check()
    return processor
