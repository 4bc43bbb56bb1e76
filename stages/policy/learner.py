"""One iteration of policy mirror descent: roll out, verify, reward, then several optimizer steps against the moving reference."""

import math
import time
from collections.abc import Sequence

import torch

from stages.data.records import CuratedProblem
from stages.models.positions import position_ids
from stages.policy.iteration import Group, describe, score
from stages.policy.length_penalty import weight_at
from stages.policy.mirror_descent import mirror_descent_loss
from stages.prompts.prompt import Prompt
from stages.rollout.engine import Completion, Sampling
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.params import RL, Hardware
from stages.run.ranks import rank, share
from stages.run.seeds import stream_seed
from stages.training.batches import PackedBatch, TrainingSample, pack
from stages.training.engine import Engine, StepResult, copy_weights, forwards, gather_objects, optimizer_step, reset_optimizer
from stages.training.log_probs import sum_by_sample
from stages.training.samples import picture_filler
from stages.training.schedules import warmed
from stages.verifiers.verdict import verify_all


class Learner:
    """The policy that is trained and the engine that samples from it."""

    def __init__(self, trainer: Engine, engine: TransformersEngine, rl: RL, hardware: Hardware, seed: int) -> None:
        self.trainer = trainer
        self.engine = engine
        self.rl = rl
        self.hardware = hardware
        self.seed = seed
        self.pad_id = engine.tokenizer.pad_token_id or 0
        self.filler = picture_filler(engine.renderer, engine.model, hardware)

    def iterate(
        self, iteration: int, problems: Sequence[CuratedProblem]
    ) -> tuple[list[tuple[str, float]], dict[str, float], dict[str, float]]:
        """One iteration: (success rate of every problem, figures, speeds), the same on every rank."""
        began = time.monotonic()
        groups = self.roll_out(iteration, problems)
        rolled = time.monotonic()
        steps, mismatch = self.improve(iteration, groups)
        self.push_weights()
        trained = time.monotonic()
        everyone = [group for part in gather_objects([strip(group) for group in groups]) for group in part]
        figures = describe(everyone) | mismatch
        if steps:  # none when every group's rewards are equal: the policy stays as it is
            norm = max(step.grad_norm for step in steps)
            figures |= {"loss": steps[-1].loss, "grad_norm": norm, "entropy": steps[0].entropy}
        tokens = sum(len(c.token_ids) for group in everyone for c in group.completions)
        speeds = {
            "rollout_seconds": rolled - began,
            "training_seconds": trained - rolled,
            "rollout_tokens_per_second": tokens / (rolled - began),
            "training_tokens_per_second": sum(step.tokens for step in steps) / (trained - rolled),
        }
        return [(group.problem.id, group.success) for group in everyone], figures, speeds

    def roll_out(self, iteration: int, problems: Sequence[CuratedProblem]) -> list[Group]:
        """This rank's groups: K verified and rewarded responses for each of its problems."""
        mine = share(problems)
        prompts = self.engine.renderer.render([Prompt(problem.question, problem.image) for problem in mine])
        sampling = Sampling(self.rl.temperature, 1.0, self.rl.max_tokens, stream_seed(self.seed, iteration, rank()))
        completions = self.engine.generate_rendered(prompts, sampling, self.rl.samples)
        items = [
            (problem.verifier, problem.answer, c.text) for problem, group in zip(mine, completions, strict=True) for c in group
        ]
        verdicts = verify_all(items, self.hardware.workers)
        weight = weight_at(iteration, self.rl.length_weight, self.rl.length_from)
        k = self.rl.samples
        return [
            score(problem, prompts[place], completions[place], verdicts[place * k : (place + 1) * k], weight)
            for place, problem in enumerate(mine)
        ]

    def improve(self, iteration: int, groups: Sequence[Group]) -> tuple[list[StepResult], dict[str, float]]:
        """All optimizer steps of the iteration, and how far the engine's log-probabilities are from the trainer's."""
        chosen = [group for group in groups if self.rl.train_zero_signal or bool((group.advantage_K != 0).any())]
        everyone = sum(gather_objects(len(chosen) * self.rl.samples))
        if everyone == 0:
            return [], {}
        spare = not chosen  # this rank has nothing to learn from, but its collectives must meet the others'
        learned = chosen or list(groups[:1])
        samples = [self._sample(group, c) for group in learned for c in group.completions]
        behaviour = [c.logprobs for group in learned for c in group.completions]
        advantage = torch.cat([group.advantage_K for group in learned])
        reference, mismatch = self.reference(samples, behaviour)
        reset_optimizer(self.trainer)
        minis = math.ceil(everyone / self.rl.mini_batch)
        steps: list[StepResult] = []
        for sweep in range(self.rl.passes):
            generator = torch.Generator().manual_seed(stream_seed(self.seed, "mini", iteration, sweep, rank()))
            order = [] if spare else torch.randperm(len(samples), generator=generator).tolist()
            for mini in range(minis):
                steps.append(self._step(samples, order[mini::minis], advantage, reference, everyone / minis, len(steps)))
        return steps, mismatch

    def _sample(self, group: Group, completion: Completion) -> TrainingSample:
        positions = position_ids(self.engine.model, group.prompt, len(completion.token_ids))
        return TrainingSample(group.prompt, completion.token_ids, positions)

    def reference(
        self, samples: list[TrainingSample], behaviour: Sequence[Sequence[float]]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """log pi_i of every response (N,), computed once by the trainer; and the mismatch with the engine's own: mean over tokens
        of log mu - log pi (an estimate of KL(mu || pi)), and the largest ratio of a token's probabilities."""
        batches = pack(samples, self.hardware.pack_tokens, self.hardware.micro_batch_rows, self.pad_id, self.filler)
        total = torch.zeros(len(samples))
        gaps = []
        for batch, logp in forwards(self.trainer, batches):
            total += sum_by_sample(logp, batch, len(samples)).cpu()
            order = batch.sample_of_target.unique_consecutive().tolist()
            gaps.append(torch.tensor([value for index in order for value in behaviour[index]]) - logp.cpu())
        gap = torch.cat(gaps)
        parts = gather_objects((float(gap.sum()), len(gap), float(gap.abs().max())))
        mean = sum(part[0] for part in parts) / sum(part[1] for part in parts)
        return total, {"kl_rollout_trainer": mean, "ratio_max": math.exp(max(part[2] for part in parts))}

    def push_weights(self) -> None:
        """Give the engine the trainer's weights, where they are not the same tensors."""
        if self.engine.model is not self.trainer.model:
            copy_weights(self.trainer, self.engine.model)

    def _step(
        self,
        samples: list[TrainingSample],
        members: list[int],
        advantage: torch.Tensor,
        reference: torch.Tensor,
        count: float,
        step: int,
    ) -> StepResult:
        chosen = [samples[index] for index in members] or samples[:1]
        batches = pack(chosen, self.hardware.pack_tokens, self.hardware.micro_batch_rows, self.pad_id, self.filler)
        device = self.trainer.device
        a, r = advantage[members].to(device), reference[members].to(device)

        def loss_of(batch: PackedBatch, logp: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            if not members:
                return logp.sum() * 0.0
            present = batch.sample_of_target.unique()
            whole = sum_by_sample(logp, batch, len(members))
            return mirror_descent_loss(whole[present], r[present], a[present], self.rl.tau) / count

        return optimizer_step(self.trainer, batches, loss_of, warmed(step, self.rl.learning_rate, self.rl.warmup_steps))


def strip(group: Group) -> Group:
    """The group without its pixels: what other ranks need to know of it."""
    prompt = type(group.prompt)((), {}, {})
    return Group(
        group.problem,
        prompt,
        group.completions,
        group.verdicts,
        group.reward_K,
        group.length_reward_K,
        group.advantage_K,
    )
