"""Supervised fine-tuning: our loop (packed rows, DeepSpeed, every step logged to the spool) against transformers' Trainer.

Fair because both train the same tiny model in float32 on the same tokenised demonstrations, one epoch a turn, 64 demonstrations
an optimizer step, AdamW with the same betas, clipping at 1 and the loss on responses only; the tokens counted are the real ones,
equal for both. The Trainer pads each batch to its longest row and computes no log-probabilities' entropy; it logs once a turn. It
runs a second time with its own remedy against padding, batches of similar length."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from material import BATCH, CPU, go_through, material
from measure import Row, take_turns
from transformers import Trainer, TrainingArguments

from stages.training.engine import start
from stages.training.loop import Plan, loss_tokens

STEPS = 6
"""Optimizer steps of a turn: one epoch."""
RATE = 1e-5


def run(repeats: int) -> list[Row]:
    """Two rows: the plain Trainer and the Trainer with batches of similar length."""
    found = material()
    net = found.net()
    samples = found.samples(net, found.some("text", 1000))[: STEPS * BATCH]
    assert len(samples) == STEPS * BATCH, len(samples)
    tokens = sum(sample.length for sample in samples)
    notes = {"loss_tokens": sum(loss_tokens(sample) for sample in samples), "longest": max(s.length for s in samples)}
    sizes = found.sizes() | {"tokens_a_turn": tokens, "demonstrations": len(samples), "batch": BATCH}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        trainers = {
            name: trainer(found.net(), samples, Path(folder), strategy, repeats)
            for name, strategy in (("sft", "random"), ("sft (grouped)", "group_by_length"))
        }
        engine = start(net, found.hardware, CPU, grad_clip=1.0)  # after the Trainers: it sets the variables of a rank
        turns = iter(range(1000))

        def epoch() -> None:
            go_through(engine, samples, Plan(1, BATCH, next(turns), lambda _, __: RATE), found.hardware, Path(folder))

        for name, other in trainers.items():
            ours, theirs = take_turns(other, STEPS, epoch)
            against = "transformers Trainer" + ("" if name == "sft" else ", batches of similar length")
            rates = [[tokens / taken for taken in side] for side in (ours, theirs)]
            rows.append(Row(name, "tokens/s", rates[0], rates[1], against, 1.0, sizes, notes=notes))
    return rows


def trainer(
    net: Any, samples: list[Any], folder: Path, strategy: str, repeats: int, batch: int = BATCH, bf16: bool = False
) -> Trainer:
    """A Trainer that will take its turns on `samples`; `bf16`: by its own mixed precision."""
    pad = net.config.get_text_config().pad_token_id
    rows = []
    for sample in samples:
        prompt = sample.prompt.token_ids
        rows.append({"input_ids": [*prompt, *sample.response_ids], "labels": [-100] * len(prompt) + [*sample.response_ids]})

    def padded(members: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        width = max(len(row["input_ids"]) for row in members)
        fills = {"input_ids": pad, "labels": -100}
        batch = {
            name: torch.tensor([row[name] + [fill] * (width - len(row[name])) for row in members]) for name, fill in fills.items()
        }
        mask = [[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in members]
        return batch | {"attention_mask": torch.tensor(mask)}

    arguments = TrainingArguments(
        output_dir=str(folder / strategy),
        max_steps=len(samples) // batch * (repeats + 1),
        per_device_train_batch_size=batch,
        bf16=bf16,
        train_sampling_strategy=strategy,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        adam_beta2=0.95,
        weight_decay=0.0,
        max_grad_norm=1.0,
        logging_steps=len(samples) // batch,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    return Trainer(model=net, args=arguments, train_dataset=rows, data_collator=padded)
