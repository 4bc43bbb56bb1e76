"""A base model that vLLM can run, in the place of `base`'s scratch model, whose processor vLLM does not know: an Idefics3 of
base.hidden x base.layers (heads of 64), pretrained from random numbers on the generated documents without pictures.

    python tests/performance/base_for_vllm.py --problems artifacts/problems --out /models/idefics3
    python -m flows.pipeline -S model.source=/models/idefics3 -S hardware.engine=vllm

The values are those of params.yaml in the folder where it is called."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from transformers import GenerationConfig, Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from stages.base import document_samples, tokenizer_texts
from stages.models.loading import device_of
from stages.models.scratch import CHAT_TEMPLATE, train_tokenizer
from stages.problems.pretraining import documents
from stages.prompts.render import Renderer
from stages.run.params import Base, Hardware, Model, read
from stages.run.program import run
from stages.run.seeds import stream_seed
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.training.checkpoints import drop_state
from stages.training.engine import start
from stages.training.loop import Plan, mean_token_loss, train
from stages.training.schedules import learning_rate
from stages.training.weights import save_model

VISION = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--problems", type=Path, required=True, help="folder that collect wrote")
    words.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    options = words.parse_args()
    base, hardware, model, seed = read("base", Base), read("hardware", Hardware), read("model", Model), read("seed", int)
    generated = [one for one in documents(base.examples, stream_seed(seed, "base")) if one.image is None]
    processor = processor_of(train_tokenizer(tokenizer_texts(generated, options.problems, model), base.vocabulary))
    torch.manual_seed(stream_seed(seed, "init"))
    net = build(processor, base, model.context)
    print(f"{sum(value.numel() for value in net.parameters()):,} weights", flush=True)
    samples = document_samples(generated, Renderer(processor, "", model.context), net)
    device = device_of(hardware)
    engine = start(net.to(device), hardware, device, grad_clip=1.0, muon_ratio=None)
    plan = Plan(
        base.epochs,
        base.batch,
        seed,
        lambda step, total: learning_rate(step, total, base.learning_rate, 0.0, base.warmup, "wsd"),
        shuffled=False,
    )
    state = state_folder("base-for_vllm", [options.problems / "train.jsonl"], [seed, base.model_dump(), model.model_dump()])
    spool = stage_spool("base_for_vllm")
    train(engine, samples, lambda step, _, __: mean_token_loss(step, samples), plan, hardware, spool, state, None)
    save_model(engine, processor, options.out)
    drop_state(state)


def processor_of(tokenizer: object) -> Idefics3Processor:
    """Pictures of at most 64 pixels, in tiles of 32: enough to be there, nothing is learned from them."""
    images = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    template = CHAT_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<image>")
    return Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=template)


def build(processor: Idefics3Processor, base: Base, context: int) -> Idefics3ForConditionalGeneration:
    """Random weights."""
    tokenizer = processor.tokenizer
    text = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "hidden_size": base.hidden,
        "intermediate_size": 3 * base.hidden,
        "num_hidden_layers": base.layers,
        "num_attention_heads": base.heads,
        "num_key_value_heads": base.heads,
        "initializer_range": base.initializer_range,
        "max_position_embeddings": context,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = Idefics3Config(
        text_config=text,
        vision_config={"image_size": 32, **VISION},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    net = Idefics3ForConditionalGeneration(config)
    net.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return net


if __name__ == "__main__":
    run(main)
