"""A value head on a language model: one number for a text, read at its last token (InstructGPT style, §2.3.5 "classic RM").

Saved, it is an ordinary transformers folder with the head beside the weights, in value_head.safetensors."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from stages.data.files import DataError
from stages.models.finite import listed, not_finite
from stages.models.loading import best_device, load_model, load_processor
from stages.models.positions import position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer

FILE = "value_head.safetensors"
MAX_TOKENS = 1 << 20


def new_head(model: Any, seed: int) -> nn.Linear:
    """A head of normal weights of variance 1 / (hidden + 1), the same for the same seed, on the model's device and in its type."""
    hidden = int(model.config.get_text_config().hidden_size)
    head = nn.Linear(hidden, 1)
    with torch.no_grad():
        head.weight.copy_(torch.randn(1, hidden, generator=torch.Generator().manual_seed(seed)) / (hidden + 1) ** 0.5)
        head.bias.zero_()
    return head.to(device=model.device, dtype=model.dtype)


def save_head(head: nn.Linear, folder: Path) -> None:
    """Write the head into a checkpoint folder."""
    state = {name: value.detach().float().cpu().contiguous() for name, value in head.state_dict().items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / FILE)
    except OSError as error:
        raise DataError(f"{folder}: cannot save the value head ({error}); free disk space and run the stage again") from error


def load_head(model: Any, folder: Path) -> nn.Linear:
    """The head of a checkpoint folder. DataError where there is none or it is another model's."""
    head = new_head(model, 0)
    if not (folder / FILE).exists():
        raise DataError(f"{folder}: no {FILE}, so no classic reward model; train one with the stage reward_model")
    try:
        head.load_state_dict(load_file(folder / FILE))
    except (RuntimeError, OSError) as error:
        raise DataError(f"{folder}/{FILE}: not this model's head ({' '.join(str(error).split())[:200]})") from error
    if wrong := not_finite(head.named_parameters()):
        raise DataError(f"{folder}/{FILE}: NaN or infinite weights ({listed(wrong)}); run the stage reward_model again")
    return head.to(device=model.device, dtype=model.dtype)


class ValueJudge:
    """Called with texts, gives the probability that each is of a right response, as a text ("0.83"); loaded at the first one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, prompts: Sequence[str]) -> list[str | DataError]:
        """One after the other: a score depends on nothing but its text."""
        return [f"{torch.sigmoid(self._score(prompt)).item():.6f}" for prompt in prompts]

    @torch.no_grad()
    def _score(self, text: str) -> torch.Tensor:
        model, head, renderer = self._loaded
        (rendered,) = renderer.render([value_prompt(text)], room=None)
        return value_of(model, head, rendered)

    @cached_property
    def _loaded(self) -> tuple[Any, nn.Linear, Renderer]:
        model = load_model(self.folder, best_device()).eval()
        return model, load_head(model, self.folder), Renderer(load_processor(self.folder), "", MAX_TOKENS)


def value_prompt(text: str) -> Prompt:
    """How a text is put to a reward model: as the user's turn; the value stands at the opening of the answer."""
    return Prompt(text, None, instruction="")


def value_of(model: Any, head: nn.Linear, rendered: Rendered) -> torch.Tensor:
    """The value, a scalar in float32, of one rendered text."""
    ids = torch.tensor([rendered.token_ids], device=model.device)
    positions = position_ids(model, rendered, 0)[:, None].to(model.device)
    hidden = model.model(input_ids=ids, position_ids=positions if len(positions) > 1 else positions[0], use_cache=False)
    value: torch.Tensor = head(hidden.last_hidden_state[0, -1])[0].float()
    return value
