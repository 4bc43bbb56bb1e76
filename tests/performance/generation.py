"""Generation: our engine against transformers' own `generate`, at most 64 responses side by side.

Fair because both sample from the same model in float32, at temperature 1 from the whole distribution, with a key-value cache and at
most the same number of tokens; prompts are tokenised, and pictures processed, before the clock starts. Tokens count to the end of
each response, its end token included. Our engine also returns each token's log-probability; `generate` returns ids only.

"text" and "pictures" are 64 prompts at once, whose responses end where the model ends them. "long tail" is what a reasoning
model's rollouts look like: 256 prompts, most responses short, a few as long as they may be. So that both sides generate exactly
the same numbers of tokens, lengths are drawn beforehand and end tokens are forbidden: ours ends each response by its request's
limit, `generate` by a stopping criterion that ends each row at its length. Our engine is given all requests and 64 slots;
`generate` is called for 64 prompts after another, in the same order, as its users do: a batch ends when its longest row has.
Tokens after a row's end do not count."""

from typing import Any

import numpy as np
import torch
from material import material
from measure import Row, alternate, seconds
from PIL import Image
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from stages.prompts.prompt import Prompt
from stages.rollout.engine import Request, Sampling
from stages.rollout.transformers_engine import TransformersEngine

BATCH = 64
TOKENS = 160
PROMPTS, MEDIAN, SPREAD, LONGEST = 256, 20.0, 1.1, 200
"""Of the long tail: lognormal lengths, clipped at the longest."""


def run(repeats: int) -> list[Row]:
    """A row for text, one for pictures, one for the long tail."""
    return [*(compare(kind, repeats) for kind in ("text", "pictures")), long_tail(repeats)]


def compare(kind: str, repeats: int) -> Row:
    """64 prompts of one kind."""
    found = material()
    net, renderer = found.net().eval(), found.renderer()
    problems = found.some(kind, BATCH)
    rendered = found.rendered(problems, renderer)
    engine = TransformersEngine(net, renderer, BATCH)
    processor, end = renderer.processor, net.generation_config.eos_token_id
    texts = [renderer.template(Prompt(problem.question, problem.image)) for problem in problems]
    pictures = {} if kind == "text" else {"images": [[opened(str(problem.image))] for problem in problems]}
    processor.tokenizer.padding_side = "left"
    inputs = processor(text=texts, return_tensors="pt", padding=True, add_special_tokens=False, **pictures)
    settings = GenerationConfig(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=TOKENS, eos_token_id=end,
        pad_token_id=net.generation_config.pad_token_id,
    )  # fmt: skip
    lengths: list[int] = []

    def ours(turn: int) -> float:
        out: list[int] = []
        taken = seconds(lambda: out.extend(lengths_of(engine, rendered, turn)))
        lengths.extend(out)
        return sum(out) / taken

    def other(turn: int) -> float:
        torch.manual_seed(turn)
        out: list[torch.Tensor] = []
        taken = seconds(lambda: out.append(net.generate(**inputs, generation_config=settings)))
        responses = out[0][:, inputs["input_ids"].shape[1] :]
        before = (responses == end).cumsum(-1) - (responses == end).long()
        return int((before == 0).sum()) / taken

    a, b = alternate(ours, other, repeats)
    quantiles = torch.tensor(lengths, dtype=torch.float).quantile(torch.tensor([0.05, 0.5, 0.95])).tolist()
    notes = {"response_tokens": dict(zip(("p5", "median", "p95"), map(round, quantiles), strict=True))}
    sizes = found.sizes() | {"batch": BATCH, "max_tokens": TOKENS, "longest_prompt": inputs["input_ids"].shape[1]}
    return Row(f"generation ({kind})", "tokens/s", a, b, "transformers generate", 1.0, sizes, notes=notes)


class AtLengths(StoppingCriteria):
    """Each row ends at its own number of tokens."""

    def __init__(self, lengths: torch.Tensor, prompt: int) -> None:
        self.ends = lengths + prompt

    def __call__(self, input_ids: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return input_ids.shape[1] >= self.ends


def long_tail(repeats: int) -> Row:
    """Most responses short, a few very long."""
    found = material()
    net, renderer = found.net().eval(), found.renderer()
    problems = found.some("text", PROMPTS)
    rendered = found.rendered(problems, renderer)
    drawn = np.random.default_rng(0).lognormal(np.log(MEDIAN), SPREAD, PROMPTS)
    lengths = np.clip(drawn.round(), 1, LONGEST).astype(int).tolist()
    assert max(len(prompt.token_ids) for prompt in rendered) + LONGEST <= renderer.context
    engine = TransformersEngine(net, renderer, BATCH)
    settings = GenerationConfig(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=LONGEST,
        pad_token_id=net.generation_config.pad_token_id, suppress_tokens=engine.ends.tolist(),
    )  # fmt: skip
    net.generation_config.eos_token_id = None
    engine.banned = torch.cat([engine.banned, engine.ends])
    requests = [
        Request(Prompt(problem.question, None), prompt, (), length, length, place)
        for place, (problem, prompt, length) in enumerate(zip(problems, rendered, lengths, strict=True))
    ]
    texts = [renderer.template(request.prompt) for request in requests]
    renderer.processor.tokenizer.padding_side = "left"
    batches = []
    for start in range(0, PROMPTS, BATCH):
        batch = renderer.processor(text=texts[start : start + BATCH], return_tensors="pt", padding=True, add_special_tokens=False)
        ends = AtLengths(torch.tensor(lengths[start : start + BATCH]), batch["input_ids"].shape[1])
        batches.append({**batch, "stopping_criteria": StoppingCriteriaList([ends])})

    def ours(turn: int) -> float:
        out: list[int] = []
        sampling = Sampling(1.0, 1.0, LONGEST, turn)
        taken = seconds(lambda: out.extend(len(piece.token_ids) for piece in engine.extend(requests, sampling)))
        assert out == lengths
        return sum(out) / taken

    def other(turn: int) -> float:
        torch.manual_seed(turn)
        widths: list[int] = []
        taken = seconds(lambda: widths.extend(net.generate(**batch, generation_config=settings).shape[1] for batch in batches))
        longest = [max(lengths[start : start + BATCH]) for start in range(0, PROMPTS, BATCH)]
        assert widths == [batch["input_ids"].shape[1] + most for batch, most in zip(batches, longest, strict=True)]
        return sum(lengths) / taken

    a, b = alternate(ours, other, repeats)
    quantiles = np.quantile(lengths, [0.05, 0.5, 0.95]).round().astype(int).tolist()
    notes = {
        "response_tokens": dict(zip(("p5", "median", "p95"), quantiles, strict=True)),
        "mean": round(float(np.mean(lengths)), 1),
    }
    sizes = found.sizes() | {"batch": BATCH, "prompts": PROMPTS, "max_tokens": LONGEST}
    return Row("generation (long tail)", "tokens/s", a, b, "transformers generate", 3.0, sizes, notes=notes)


def lengths_of(engine: TransformersEngine, rendered: list, turn: int) -> list[int]:
    """Tokens of each response of our engine."""
    groups = engine.generate_rendered(rendered, Sampling(1.0, 1.0, TOKENS, turn), 1)
    return [len(completion.token_ids) for group in groups for completion in group]


def opened(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")
