"""One GPU, a model of about 100 million weights from random numbers, contexts of 4k to 32k tokens: tokens/s and memory of a training
step with its share of the card's peak (MFU), tokens/s of the embedded rollout engine, and the engine against transformers' `generate`
on a long-tailed length mix. `python tests/performance/accelerator.py`; results/accelerator.json. It needs no training data.

Training: micro-batches of 32,768 real tokens, rows as long as the context, each one sample ("packed": samples of 512 tokens in rows
of 4,096), forward, backward and AdamW; the median of the steps after the first two. FLOPs by PaLM's formula (arXiv 2204.02311,
appendix B), attention counted as causal: 6 N + 6 L H T a token, N without the vision tower, which does not run here.

Rollout: responses that are NEW tokens short of the context grow by NEW tokens, reading the prefix not counted."""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import ROOT, environment
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from stages.models.loading import best_device
from stages.models.positions import position_ids
from stages.models.scratch import SPECIALS, TinyShape, build_model, build_processor, train_tokenizer
from stages.problems.pretraining import documents
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer
from stages.rollout.engine import Request, Sampling
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.params import Hardware, read
from stages.training.batches import TrainingSample, pack
from stages.training.engine import Engine, optimizer_step, start

HIDDEN, LAYERS, HEADS, VOCABULARY, INITIALIZER_RANGE = 768, 12, 12, 512, 0.03
CONTEXTS = (4096, 16384, 32768)
STEP_TOKENS = 32768
CACHE_TOKENS = 524288
"""Tokens in the rollout engine's cache at once: responses side by side times context."""
NEW = 256
PEAK = {"NVIDIA H100 80GB HBM3": 989e12, "NVIDIA H200": 989e12}
"""Dense bf16 operations a second (https://www.nvidia.com/en-us/data-center/h200/, without sparsity)."""
TAIL_PROMPTS, TAIL_BATCH, TAIL_MEDIAN, TAIL_SPREAD, TAIL_LONGEST = 256, 64, 40.0, 1.0, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "results/accelerator.json")
    parser.add_argument("--hidden", type=int, default=HIDDEN)
    parser.add_argument("--contexts", type=int, nargs="+", default=CONTEXTS)
    parser.add_argument("--steps", type=int, default=6, help="training steps that count")
    parser.add_argument("--new", type=int, default=NEW, help="tokens by which responses grow")
    parser.add_argument("--tail", type=int, default=TAIL_LONGEST, help="longest response of the length mix; 0 leaves it out")
    options = parser.parse_args()
    device = best_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    around = environment() | {"device": name, "command": "python tests/performance/accelerator.py"}
    bench = Bench(device, options.hidden, max(options.contexts))
    around |= {"parameters": bench.parameters, "hidden": options.hidden, "layers": LAYERS}
    rows: list[dict[str, Any]] = []

    def note(row: dict[str, Any]) -> None:
        rows.append(row)
        print(json.dumps(row), flush=True)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"environment": around, "rows": rows}, indent=1) + "\n", encoding="utf-8")

    for context in options.contexts:
        note(bench.rollout(context, options.new))
    if options.tail:
        note(bench.tail(options.tail))
    bench.begin_training()
    for context in options.contexts:
        note(bench.training(context, context, options.steps))
    note(bench.training(4096, 512, options.steps))


class Bench:
    """The model, and what is measured on it."""

    def __init__(self, device: torch.device, hidden: int, context: int) -> None:
        self.device = device
        self.hidden = hidden
        texts = [f"{document.question}\n{document.continuation}" for document in documents(2000, 0)]
        tokenizer = train_tokenizer(texts, VOCABULARY)
        net = build_model(tokenizer, TinyShape(hidden, LAYERS, HEADS, context, INITIALIZER_RANGE), seed=0)
        self.net = net.to(device, torch.bfloat16 if device.type == "cuda" else torch.float32)
        self.parameters = sum(p.numel() for p in self.net.parameters())
        self.language = sum(p.numel() for p in self.net.model.language_model.parameters())
        self.renderer = Renderer(build_processor(tokenizer, 2**20), "", context)
        self.random = np.random.default_rng(0)
        self.engine: Engine | None = None

    def ids(self, count: int) -> tuple[int, ...]:
        """Any tokens but special ones."""
        return tuple(self.random.integers(len(SPECIALS), self.net.get_input_embeddings().num_embeddings, count).tolist())

    def rollout(self, context: int, new: int) -> dict[str, Any]:
        """Many responses near the end of their context."""
        rows = max(1, CACHE_TOKENS // context) if self.device.type == "cuda" else 2
        engine = TransformersEngine(self.net, self.renderer, rows)
        engine.banned = torch.cat([engine.banned, engine.ends])
        prompt = Rendered(self.ids(64), {}, {})

        def grow(tokens: int) -> float:
            begun = self.ids(context - 64 - tokens - new)
            asked = [Request(Prompt("", None), prompt, begun, tokens, tokens, row) for row in range(rows)]
            return self.timed(lambda: engine.extend(asked, Sampling(1.0, 1.0, context, 0)))

        grow(2)
        reading, whole = grow(1), grow(1 + new)
        return {
            "name": "rollout", "context": context, "rows": rows, "new_tokens": new,
            "tokens_per_second": round(rows * new / (whole - reading)), "reading_seconds": round(reading, 2),
            "peak_gib": self.peak(),
        }  # fmt: skip

    def tail(self, longest: int) -> dict[str, Any]:
        """The engine against `generate`, as in generation.py: equal prompts, equal numbers of tokens."""
        drawn = self.random.lognormal(np.log(TAIL_MEDIAN), TAIL_SPREAD, TAIL_PROMPTS)
        lengths = np.clip(drawn.round(), 1, longest).astype(int).tolist()
        engine = TransformersEngine(self.net, self.renderer, TAIL_BATCH)
        engine.banned = torch.cat([engine.banned, engine.ends])
        prompts = [self.ids(48) for _ in range(TAIL_PROMPTS)]
        asked = [
            Request(Prompt("", None), Rendered(ids, {}, {}), (), most, most, place)
            for place, (ids, most) in enumerate(zip(prompts, lengths, strict=True))
        ]
        settings = GenerationConfig(
            do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=longest,
            pad_token_id=self.net.generation_config.pad_token_id, suppress_tokens=engine.ends.tolist(),
        )  # fmt: skip
        self.net.generation_config.eos_token_id = None
        self.net.eval()

        def other() -> None:
            for first in range(0, TAIL_PROMPTS, TAIL_BATCH):
                inputs = torch.tensor(prompts[first : first + TAIL_BATCH], device=self.device)
                ends = torch.tensor(lengths[first : first + TAIL_BATCH], device=self.device) + inputs.shape[1]
                stops = StoppingCriteriaList([AtLengths(ends)])
                self.net.generate(input_ids=inputs, attention_mask=torch.ones_like(inputs), generation_config=settings,
                                  stopping_criteria=stops)  # fmt: skip

        engine.extend(asked[:8], Sampling(1.0, 1.0, 8, 0))
        ours = self.timed(lambda: engine.extend(asked, Sampling(1.0, 1.0, longest, 0)))
        theirs = self.timed(other)
        return {
            "name": "rollout, long tail", "against": "transformers generate", "prompts": TAIL_PROMPTS, "batch": TAIL_BATCH,
            "longest": longest, "mean_tokens": round(float(np.mean(lengths)), 1),
            "tokens_per_second": round(sum(lengths) / ours), "generate_tokens_per_second": round(sum(lengths) / theirs),
            "ratio": round(theirs / ours, 2), "repeats": 1,
        }  # fmt: skip

    def begin_training(self) -> None:
        hardware = read("hardware", Hardware).model_copy(update={"device": self.device.type, "processes": 1, "zero_stage": 0})
        self.engine = start(self.net, hardware, self.device, grad_clip=1.0)

    def training(self, row_tokens: int, sample_tokens: int, steps: int) -> dict[str, Any]:
        """A micro-batch of STEP_TOKENS, one optimizer step."""
        assert self.engine is not None
        samples = []
        for _ in range(STEP_TOKENS // sample_tokens if self.device.type == "cuda" else 2):
            prompt = Rendered(self.ids(64), {}, {})
            response = self.ids(sample_tokens - 64)
            samples.append(TrainingSample(prompt, response, position_ids(self.net, prompt, len(response))))
        batches = pack(samples, row_tokens, 10**6, 0)
        count = sum(len(sample.response_ids) for sample in samples)
        engine = self.engine

        def step() -> object:
            return optimizer_step(engine, batches, lambda _, logp, __: -logp.sum() / count, 1e-5)

        taken = [self.timed(step) for _ in range(2 + steps)][2:]
        tokens = sum(batch.tokens for batch in batches)
        rate = tokens / statistics.median(taken)
        peak = PEAK.get(torch.cuda.get_device_name()) if self.device.type == "cuda" else None
        flops = 6 * self.language + 6 * LAYERS * self.hidden * sample_tokens
        return {
            "name": "training" if row_tokens == sample_tokens else "training, packed", "row_tokens": row_tokens,
            "sample_tokens": sample_tokens, "tokens_per_step": tokens, "seconds": round(statistics.median(taken), 4),
            "tokens_per_second": round(rate), "mfu": round(rate * flops / peak, 3) if peak else None, "peak_gib": self.peak(),
        }  # fmt: skip

    def timed(self, work: Callable[[], object]) -> float:
        """Seconds of one call, the card's work included; the peak of memory begins anew."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        begun = time.perf_counter()
        work()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    def peak(self) -> float | None:
        """GiB that torch had allocated at most since the last call was begun."""
        return round(torch.cuda.max_memory_allocated() / 2**30, 2) if self.device.type == "cuda" else None


class AtLengths(StoppingCriteria):
    """Each row ends at its own number of tokens."""

    def __init__(self, ends: torch.Tensor) -> None:
        self.ends = ends

    def __call__(self, input_ids: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return input_ids.shape[1] >= self.ends


if __name__ == "__main__":
    main()
