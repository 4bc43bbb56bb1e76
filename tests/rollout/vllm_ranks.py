"""What each of two ranks does in test_vllm_engine.py, as the RL stage does it: a trainer under ZeRO-3, vLLM in the same process,
responses, a step, a push of weights that are in pieces, golden prompts, responses again. Arguments: the checkpoint, demonstrations
as JSON lines, the tensor-parallel size. It writes to <its rank>.json how far vLLM and the embedded engine are apart."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from tiny import CPU, INSTRUCTION, hardware

from stages.data.files import read_records
from stages.data.records import Demonstration
from stages.models.loading import load_model, load_processor
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.rollout.engine import Piece, Request, Sampling
from stages.rollout.golden import TOLERANCES, Golden
from stages.rollout.opening import open_rollout_engine
from stages.rollout.transformers_engine import TransformersEngine
from stages.rollout.vllm_engine import VLLMEngine
from stages.run.program import run
from stages.run.ranks import rank
from stages.training.batches import pack
from stages.training.engine import Engine, optimizer_step, start
from stages.training.loop import mean_token_loss
from stages.training.responses import response_log_probs
from stages.training.samples import demonstration_samples, picture_filler
from stages.training.weights import rollout_copy

TEMPERATURE = 0.8
HOT = Sampling(temperature=TEMPERATURE, top_p=1.0, max_tokens=12, seed=0)


def main(folder: Path, shown: Path, tensor_parallel: int) -> None:
    share_of_memory = {"tensor_parallel": tensor_parallel, "memory_share": 0.2}
    chosen = hardware(device="cpu", zero_stage=3, engine="vllm", vllm=share_of_memory, generation_batch=16)
    renderer = Renderer(load_processor(folder), INSTRUCTION, 640)
    trainer = start(load_model(folder, CPU), chosen, CPU, 1.0, TEMPERATURE)
    demonstrations = read_records(shown, Demonstration)
    prompts = [Prompt(demonstration.question, demonstration.image) for demonstration in demonstrations]
    asked = (next(p for p in prompts if p.images), next(p for p in prompts if not p.images))
    golden = Golden(asked, TEMPERATURE, partial(response_log_probs, trainer, chosen, renderer), TOLERANCES["cpu"])
    engine = open_rollout_engine(folder, trainer.model, renderer, chosen, golden, cache_bytes=1 << 20)
    assert isinstance(engine, VLLMEngine)
    embedded = TransformersEngine(rollout_copy(trainer, folder), renderer, 16)

    mine = prompts[rank() :: 2]
    requests = [
        Request(prompt, seen, (), 12, 12, 10 * place + rank())
        for place, (prompt, seen) in enumerate(zip(mine, renderer.render(mine), strict=True))
    ]
    first = engine.extend(requests, HOT)
    gaps = [gap(first, embedded.extend(requests, HOT))]
    samples, _ = demonstration_samples(demonstrations, renderer, trainer.model)
    batches = pack(samples, 2560, 0, picture_filler(renderer, trainer.model, chosen))
    optimizer_step(trainer, batches, mean_token_loss(range(len(samples)), samples), 1e-2)
    engine.take_weights(whole(trainer))
    embedded.take_weights(whole(trainer))
    second = engine.extend(requests if rank() else [], HOT)
    gaps.append(gap(second, embedded.extend(requests if rank() else [], HOT)))
    found = {
        "share": [engine.started.share.rank, engine.started.share.size],
        "gaps": gaps,
        "changed": [a.logprobs != b.logprobs for a, b in zip(first, second, strict=False)],
    }
    shown.with_name(f"{rank()}.json").write_text(json.dumps(found))


def whole(trainer: Engine) -> Iterator[tuple[str, torch.Tensor]]:
    """Each weight is in one piece only until the next one is asked for."""
    import deepspeed

    for name, parameter in trainer.model.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter]):
            yield name, parameter.detach()


def gap(ours: list[Piece], theirs: list[Piece]) -> float:
    """Largest difference of a log-probability; infinite where tokens differ."""
    if [piece.token_ids for piece in ours] != [piece.token_ids for piece in theirs]:
        return float("inf")
    pairs = [(a, b) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x.logprobs, y.logprobs, strict=True)]
    return max((abs(a - b) for a, b in pairs), default=0.0)


if __name__ == "__main__":
    run(partial(main, Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
