"""Generation: our engine against transformers' own `generate`, 64 prompts side by side, responses of mixed length.

Fair because both sample from the same model in float32, at temperature 1 from the whole distribution, with a key-value cache and at
most the same number of tokens; prompts are tokenised, and pictures processed, before the clock starts. Tokens count to the end of
each response, its end token included. Our engine also returns each token's log-probability; `generate` returns ids only."""

import torch
from material import material
from measure import Row, alternate, seconds
from PIL import Image
from transformers import GenerationConfig

from stages.prompts.prompt import Prompt
from stages.rollout.engine import Sampling
from stages.rollout.transformers_engine import TransformersEngine

BATCH = 64
TOKENS = 160


def run(repeats: int) -> list[Row]:
    """A row for text and one for pictures."""
    return [compare(kind, repeats) for kind in ("text", "pictures")]


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


def lengths_of(engine: TransformersEngine, rendered: list, turn: int) -> list[int]:
    """Tokens of each response of our engine."""
    groups = engine.generate_rendered(rendered, Sampling(1.0, 1.0, TOKENS, turn), 1)
    return [len(completion.token_ids) for group in groups for completion in group]


def opened(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")
