"""Direct preference optimisation on pairs of samples (§2.4): the work of the stage dpo."""

import argparse
from collections.abc import Sequence

import torch

from stages.data.files import DataError, read_records
from stages.data.records import SampleGroup
from stages.long2short.preference import Pair, dpo_loss, dpo_weights, nll_loss, pairs
from stages.models.loading import device_of, dtype_of, load_model, load_processor
from stages.models.positions import position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.run.params import Hardware, Model, read
from stages.run.phases import clear
from stages.run.ranks import rank
from stages.run.sections import DPO, Health, deciding
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.training.batches import PackedBatch, TrainingSample, pack
from stages.training.checkpoints import drop_state
from stages.training.engine import Engine, LossOf, log_probs, start
from stages.training.loop import Plan, train
from stages.training.samples import picture_filler
from stages.training.schedules import learning_rate
from stages.training.weights import save_model


def preferred(options: argparse.Namespace, dpo: DPO) -> None:
    """Train on the pairs of the command line's samples and write the checkpoint."""
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    if rank() == 0:
        clear(options.out)
    found = pairs(read_records(options.samples, SampleGroup), dpo.min_length_ratio, dpo.pairs_per_problem)
    if not found:
        raise DataError(f"{options.samples}: no pair of a right response and a longer one; draw more samples (sample.samples)")
    device = device_of(hardware)
    net, processor = load_model(options.init, device, dtype=dtype_of(hardware, device)), load_processor(options.init)
    renderer = Renderer.of(processor, model)
    samples = pair_samples(found, renderer, net)
    engine = start(net, hardware, device, grad_clip=1.0, bad_steps=read("health", Health).bad_steps)
    filler = picture_filler(renderer, net, hardware)
    pad_id = net.config.get_text_config().pad_token_id or 0
    packed = pack(samples, hardware.micro_batch_tokens, pad_id, filler)
    reference = log_probs(engine, packed, len(samples))
    lengths = torch.tensor([len(pair.chosen.token_ids) for pair in found])

    def loss_for(everyone: Sequence[int], mine: Sequence[int], batches: Sequence[PackedBatch]) -> LossOf:
        return pair_loss(engine, reference, lengths, everyone, mine, batches, dpo)

    def rate(step: int, total: int) -> float:
        return learning_rate(step, total, dpo.learning_rate, 0.0, dpo.warmup, "cosine")

    spool = stage_spool("dpo")
    values = [seed, dpo.model_dump(), model.model_dump(), deciding(hardware)]
    state = state_folder("dpo", [options.init, options.samples], values)
    plan = Plan(dpo.epochs, dpo.batch, seed, rate, unit=2)
    print(f"{len(found)} pairs")
    train(engine, samples, loss_for, plan, hardware, spool, state, filler)
    save_model(engine, processor, options.out)
    if rank() == 0:
        spool.write_csv(options.curves)
    drop_state(state)


def pair_samples(found: Sequence[Pair], renderer: Renderer, net: object) -> list[TrainingSample]:
    """Two training samples a pair, chosen then rejected, with the sampled token ids."""
    prompts = renderer.render([Prompt.of(pair.group.problem) for pair in found], remade=True)
    samples = []
    for pair, prompt in zip(found, prompts, strict=True):
        for side in (pair.chosen, pair.rejected):
            samples.append(
                TrainingSample(
                    prompt, tuple(side.token_ids), position_ids(net, prompt, len(side.token_ids)), name=pair.group.problem.id
                )
            )
    return samples


def pair_loss(
    engine: Engine,
    reference: torch.Tensor,
    lengths: torch.Tensor,
    everyone: Sequence[int],
    mine: Sequence[int],
    batches: Sequence[PackedBatch],
    dpo: DPO,
) -> LossOf:
    """The step's loss, DPO's and the chosen responses' NLL, mean over the pairs of all ranks; `lengths` are the chosen responses'
    tokens. Margins come first, without gradient; then each response has a known weight, and the two of a pair need not lie in the
    same micro-batch."""
    logp = log_probs(engine, batches, 2 * len(mine))
    ratio = logp - reference.reshape(-1, 2)[list(mine)].reshape(-1)
    margin, tokens = ratio[0::2] - ratio[1::2], lengths[list(mine)]
    weight = dpo_weights(margin, dpo.beta)
    weights = torch.stack([weight - dpo.nll_weight / tokens, -weight], dim=1).reshape(-1).to(engine.device)
    losses = (dpo_loss(margin, dpo.beta) + dpo.nll_weight * nll_loss(logp[0::2], tokens)).to(engine.device)

    def loss_of(batch: PackedBatch, logp: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        present = batch.sample_of_target.unique()
        value = losses[present[present % 2 == 0] // 2].sum()
        linear = (logp * weights[batch.sample_of_target]).sum()
        return (value + linear - linear.detach()) / len(everyone)

    return loss_of
