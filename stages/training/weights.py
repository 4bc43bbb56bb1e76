"""The weights of an engine, whole, whatever ZeRO made of them: saved as a model folder, handed to what generates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from stages.data.files import DataError, sync_tree
from stages.models.loading import load_model
from stages.run.ranks import during, rank
from stages.training.engine import Engine, barrier, check_weights


def save_model(engine: Engine, processor: Any, folder: Path) -> None:
    """Write the model as an ordinary transformers folder, which is on the disk then (rank 0; all ranks must call). Raises
    NotFiniteError for weights that are NaN or infinite."""
    check_weights(engine, f"the checkpoint {folder.name}")
    state = whole_state(engine)
    if rank() == 0:
        try:
            engine.model.save_pretrained(folder, state_dict=state)
            processor.save_pretrained(folder)
            sync_tree(folder)
        except (OSError, SafetensorError) as error:
            raise DataError(f"{folder}: cannot save the model ({error}); free disk space and run the stage again") from error
    barrier()


def whole_state(engine: Engine) -> dict[str, torch.Tensor]:
    """The model's unpartitioned weights on rank 0 (and on every rank below ZeRO-3), by their transformers names."""
    if engine.zero_stage < 3:
        return {name: value.detach() for name, value in engine.model.state_dict().items()}
    with during("gathering the weights"):
        state = engine.deepspeed._zero3_consolidated_16bit_state_dict()
    return {name.removeprefix("model."): value for name, value in (state or {}).items() if name.startswith("model.")}


def rollout_copy(engine: Engine, folder: Path) -> Any:
    """The model that generates: the trained one itself, or under ZeRO-3, whose weights are in pieces, a whole copy of it."""
    if engine.zero_stage < 3:
        return engine.model
    return load_model(folder, engine.device, dtype=engine.model.dtype)


def trained_weights(engine: Engine) -> Iterator[tuple[str, torch.Tensor]]:
    """The model's whole parameters by their transformers names, one after the other: under ZeRO-3 each is put together only while
    it is handed out (all ranks must go through them)."""
    import deepspeed

    for name, parameter in engine.model.named_parameters():
        with during("gathering the weights"), deepspeed.zero.GatheredParameters([parameter], enabled=engine.zero_stage == 3):
            yield name, parameter.detach()
