"""What each of two ranks does in test_vllm_engine.py: its own requests by vLLM and by the embedded engine, then a push of weights,
then requests of one rank only. Arguments: the checkpoint, questions and pictures as JSON, the tensor-parallel size. It writes to
<its rank>.json how far the two engines are apart."""

import datetime
import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from tiny import CPU, INSTRUCTION, hardware

from stages.models.loading import load_model, load_processor
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.rollout.engine import Piece, Request, Sampling
from stages.rollout.transformers_engine import TransformersEngine
from stages.rollout.vllm_engine import VLLMEngine
from stages.rollout.vllm_start import start_vllm
from stages.run.ranks import rank

HOT = Sampling(temperature=1.0, top_p=1.0, max_tokens=12, seed=0)


def main(folder: Path, asked: Path, tensor_parallel: int) -> None:
    dist.init_process_group("gloo", timeout=datetime.timedelta(minutes=5))
    torch.manual_seed(11)
    model, renderer = load_model(folder, CPU), Renderer(load_processor(folder), INSTRUCTION, 640)
    chosen = hardware(
        device="cpu", engine="vllm", vllm={"tensor_parallel": tensor_parallel, "memory_share": 0.2}, generation_batch=16
    )
    engine = VLLMEngine(start_vllm(folder, model, renderer.processor.tokenizer, 640, chosen, 64 << 20), renderer, None)
    embedded = TransformersEngine(model, renderer, 16)
    prompts = [Prompt(question, picture) for question, picture in json.loads(asked.read_text())][rank() :: 2]
    requests = [
        Request(prompt, seen, (), 12, 12, 10 * place + rank())
        for place, (prompt, seen) in enumerate(zip(prompts, renderer.render(prompts), strict=True))
    ]
    first = gap(engine.extend(requests, HOT), embedded.extend(requests, HOT))
    with torch.no_grad():  # the same on both ranks, by the seed above
        for value in model.parameters():
            value += 0.05 * torch.randn(value.shape)
    engine.take_weights(model.named_parameters())
    mine = requests if rank() else []
    second = gap(engine.extend(mine, HOT), embedded.extend(mine, HOT))
    share = engine.started.share
    found = {"share": [share.rank, share.size], "first": first, "second": second, "requests": len(requests)}
    asked.with_name(f"{rank()}.json").write_text(json.dumps(found))


def gap(ours: list[Piece], theirs: list[Piece]) -> float:
    """Largest difference of a log-probability; infinite where tokens differ."""
    if [piece.token_ids for piece in ours] != [piece.token_ids for piece in theirs]:
        return float("inf")
    return max(
        (abs(a - b) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x.logprobs, y.logprobs, strict=True)), default=0
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
