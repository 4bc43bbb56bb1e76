"""Two optimizer steps of a random Qwen2.5-VL of a given shape, by the project's own engine; prints what the process took at most.

`python training_step.py '{"hidden": 512, "layers": 8, "vocabulary": 4096, "tokens": 512, "hardware": {...}}'` prints JSON:
`base` and `peak` (bytes of resident memory before the model, and at most), the model's config and number of weights."""

import gc
import json
import sys
from pathlib import Path

import torch
import yaml
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from stages.models.loading import dtype_of
from stages.models.positions import position_ids
from stages.models.scratch import SPECIALS, TinyShape
from stages.prompts.render import Rendered
from stages.run.params import Hardware
from stages.training.batches import TrainingSample, pack
from stages.training.engine import optimizer_step, start
from stages.training.library import deepspeed

CPU = torch.device("cpu")
PARAMS = Path(__file__).resolve().parents[3] / "params.yaml"


def resident(name: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024


def _model(hidden: int, layers: int, vocabulary: int, context: int) -> Qwen2_5_VLForConditionalGeneration:
    shape = TinyShape(hidden, layers, hidden // 64, context, 0.02)
    ids = {name: place for place, name in enumerate(SPECIALS)}
    config = Qwen2_5_VLConfig(
        text_config=shape.text(vocabulary, ids),
        vision_config=shape.vision(),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def main() -> None:
    asked = json.loads(sys.argv[1])
    defaults = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["hardware"]
    hardware = Hardware.model_validate({**defaults, "micro_batch_tokens": asked["tokens"], **asked["hardware"]})
    deepspeed()
    _model(64, 1, 64, 64)(input_ids=torch.arange(8)[None], labels=torch.arange(8)[None]).loss.backward()
    gc.collect()
    base = resident("VmRSS")
    torch.set_default_dtype(dtype_of(hardware, CPU))
    model = _model(asked["hidden"], asked["layers"], asked["vocabulary"], asked["tokens"])
    torch.set_default_dtype(torch.float32)
    model_config = model.config.to_dict()
    weights = sum(weight.numel() for weight in model.parameters())
    engine = start(model, hardware, CPU, grad_clip=1.0)
    prompt = Rendered(tuple(range(10, 18)), {}, {})
    for samples, count in ((1, 8), (2, asked["tokens"] - 8)):  # the first makes the optimizer's states
        response = tuple(torch.randint(10, asked["vocabulary"], (count,)).tolist())
        sample = TrainingSample(prompt, response, position_ids(model, prompt, count))
        batches = pack([sample] * samples, hardware.micro_batch_tokens, 0)
        optimizer_step(engine, batches, lambda _, logp, __: -logp.mean(), 1e-4)
    print(json.dumps({"base": base, "peak": resident("VmHWM"), "weights": weights, "config": model_config}))


main()
