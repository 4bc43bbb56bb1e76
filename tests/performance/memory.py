"""What training needs at a real size: memory of the output layer, time of packed attention, memory of pictures.

Memory is measured in processes of their own, as the peak of the resident set above that before the work."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measure import Alone, Row, alternate, seconds
from torch import nn

TOKENS, VOCABULARY, HIDDEN = 2048, 151_936, 256
SAMPLES, LENGTH = 16, 512
PICTURES, SIDE = 200, 1024


def run(repeats: int) -> list[Row | Alone]:
    """Rows for results/benchmarks.json; of memory each side once, it does not vary."""
    return [output_layer(), packed(repeats), pictures()]


def output_layer() -> Row:
    """Log-probabilities and their gradient against the formula with whole logits."""
    sizes = {"tokens": TOKENS, "vocabulary": VOCABULARY, "hidden": HIDDEN}
    ours, other = (peak_of(side) for side in ("chunked_logits", "whole_logits"))
    notes = {"target": "< 1 GiB", "one tensor of logits": f"{TOKENS * VOCABULARY * 4 / 2**30:.2f} GiB"}
    return Row("output layer, memory", "GiB above start", [ours], [other], "whole logits", 4.0, sizes, "seconds", notes)


def pictures() -> Alone:
    """Pictures of one megapixel, held by a training set; whole they would be 24.6 MiB each."""
    sizes = {"pictures": PICTURES, "pixels": SIDE * SIDE}
    notes = {"target": "< 0.49 GiB", "kept": "at most 0.25 GiB, the others are made when they are read"}
    return Alone("pictures, memory", "GiB above start", [peak_of("held_pictures")], sizes, notes)


def packed(repeats: int) -> Row:
    """A step over many samples in one row: by samples, and as before with a dense mask by transformers' sdpa."""
    from stages.models.attention import use_packed_attention
    from stages.training.log_probs import TokenLogProbs

    ours, other = (language_model() for _ in range(2))
    use_packed_attention(ours)
    batch = packed_batch()

    def side(model: Any) -> Callable[[int], float]:
        module = TokenLogProbs(model.train())
        return lambda _: SAMPLES * LENGTH / seconds(lambda: module(batch, entropies=False)[0].sum().backward())

    a, b = alternate(side(ours), side(other), repeats)
    sizes = {"samples": SAMPLES, "tokens each": LENGTH, "layers": 2, "hidden": HIDDEN, "heads": 8}
    return Row("packed row", "tokens/s", a, b, "transformers sdpa with a dense mask", 2.0, sizes)


def language_model() -> Any:
    """Two layers with grouped queries and a small vocabulary, so that attention is what is measured."""
    from transformers import AutoModelForCausalLM, Qwen3Config

    config = Qwen3Config(
        vocab_size=512, hidden_size=HIDDEN, intermediate_size=2 * HIDDEN, num_hidden_layers=2, num_attention_heads=8,
        num_key_value_heads=4, head_dim=32, max_position_embeddings=LENGTH,
    )  # fmt: skip
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config)


def packed_batch() -> Any:
    from stages.prompts.render import Rendered
    from stages.training.batches import TrainingSample, pack

    ids = torch.randint(0, 512, (SAMPLES, LENGTH)).tolist()
    samples = [TrainingSample(Rendered(tuple(row[:64]), {}, {}), tuple(row[64:]), torch.arange(LENGTH)[None]) for row in ids]
    (batch,) = pack(samples, SAMPLES * LENGTH, 0)
    return batch


def peak_of(work: str) -> float:
    """GiB above start of one of WORKS in a process of its own."""
    done = subprocess.run([sys.executable, __file__, work], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def chunked_logits() -> Callable[[], object]:
    from stages.training.library import deepspeed
    from stages.training.output_layer import token_log_probs

    deepspeed()
    hidden, head, targets = layer()
    return lambda: token_log_probs(hidden, head, targets, 1.0, None).sum().backward()


def whole_logits() -> Callable[[], object]:
    hidden, head, targets = layer()

    def work() -> None:
        logs = torch.log_softmax(head(hidden).float(), dim=-1)
        with torch.no_grad():
            -(logs.exp() * logs).sum(-1)
        logs.gather(-1, targets[:, None]).sum().backward()

    return work


def layer() -> tuple[torch.Tensor, nn.Linear, torch.Tensor]:
    hidden = torch.randn(TOKENS, HIDDEN).requires_grad_()
    return hidden, nn.Linear(HIDDEN, VOCABULARY, bias=False), torch.randint(0, VOCABULARY, (TOKENS,))


def held_pictures() -> Callable[[], object]:
    import tempfile

    from PIL import Image
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from stages.prompts.pixels import Remade

    processor = Qwen2VLImageProcessorPil(patch_size=14, temporal_patch_size=2, merge_size=2)
    folder = tempfile.mkdtemp()
    Image.effect_noise((SIDE, SIDE), 60).convert("RGB").save(f"{folder}/picture.png")

    def make() -> dict[str, torch.Tensor]:
        with Image.open(f"{folder}/picture.png") as opened:
            return dict(processor(images=[opened.convert("RGB")], return_tensors="pt"))

    make()
    return lambda: [Remade(make(), make) for _ in range(PICTURES)]


WORKS = {work.__name__: work for work in (chunked_logits, whole_logits, held_pictures)}


def measured(work: Callable[[], object]) -> float:
    """GiB by which `work()` raises the peak of this process over what it holds before. Not by
    getrusage, whose maximum counts the program that started this one, too."""
    before = resident("VmRSS")
    kept = work()
    peak = resident("VmHWM")
    del kept
    return (peak - before) / 2**20


def resident(name: str) -> int:
    """VmRSS or VmHWM of this process in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


if __name__ == "__main__":
    print(measured(WORKS[sys.argv[1]]()))
