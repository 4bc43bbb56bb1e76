"""Stage reward_model (§2.3.5), optional: a classic reward model with a value head, and a chain-of-thought judge, from judged
responses.

Writes OUT/classic and OUT/judge, and REPORT/spot_check.json: the accuracy of both on questions kept aside, beside the report's."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.data.files import DataError, write_json
from stages.models.loading import device_of, dtype_of, load_model, load_processor
from stages.models.value_head import ValueJudge, new_head, save_head
from stages.prompts.render import Renderer
from stages.rollout.asking import Asking, responder_of
from stages.rollout.engine import Sampling
from stages.run.optional import RewardModelling
from stages.run.params import Hardware, read
from stages.run.program import run
from stages.run.ranks import rank
from stages.run.sections import Health, deciding
from stages.run.seeds import stream_seed
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.training.checkpoints import drop_state
from stages.training.engine import start
from stages.training.loop import Plan, train
from stages.training.reward_tasks import judge_task, value_task
from stages.training.samples import picture_filler
from stages.training.schedules import learning_rate
from stages.training.weights import save_model
from stages.verifiers.judge import Answer
from stages.verifiers.reward_rows import RewardRow, agreement, claim_of, read_reward_rows, split
from stages.verifiers.verdict import verify_all

REPORTED = {"classic": 84.4, "judge": 98.5}
"""Spot-check accuracy in the report, %."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a classic reward model and a chain-of-thought judge")
    parser.add_argument("name", help="item of reward_model in params.yaml")
    parser.add_argument("--init", type=Path, required=True, help="checkpoint that both start from")
    parser.add_argument("--rows", type=Path, required=True, help="judged responses, or groups.jsonl of the stage sample")
    parser.add_argument("--out", type=Path, required=True, help="folder of both models")
    parser.add_argument("--report", type=Path, required=True, help="folder of the spot check")
    args = parser.parse_args()
    seed, hardware = read("seed", int), read("hardware", Hardware)
    wanted = read(f"reward_model.{args.name}", RewardModelling)
    training, check = split(read_reward_rows(args.rows), wanted.check_share, seed)
    if hardware.zero_stage == 3:
        raise DataError("reward models are trained with hardware.zero_stage 0 to 2: the value head is saved whole")
    for kind in REPORTED:
        trained(kind, args, training, wanted, hardware, seed)
    if rank() == 0:
        write_json(
            args.report / "spot_check.json", spot_check(args.out, training, check, wanted.max_tokens, hardware.generation_batch)
        )


def trained(kind: str, args: Any, rows: Sequence[RewardRow], wanted: RewardModelling, hardware: Hardware, seed: int) -> None:
    """Train one of the two by the loop of SFT and save it in OUT/`kind`."""
    device = device_of(hardware)
    net, processor = load_model(args.init, device, dtype=dtype_of(hardware, device)), load_processor(args.init)
    text = net.config.get_text_config()
    text.max_position_embeddings = max(text.max_position_embeddings, wanted.context)
    renderer = Renderer(processor, "", wanted.context)
    head = new_head(net, stream_seed(seed, "value head")) if kind == "classic" else None
    samples, loss = (judge_task if head is None else value_task)(rows, renderer, net)
    if rank() == 0:
        print(f"{kind}: {len(samples)} of {len(rows)} rows fit the context of {wanted.context}")
    if not samples:
        raise DataError(f"{args.rows}: no row fits context = {wanted.context}; raise reward_model.{args.name}.context")

    def rate(step: int, total: int) -> float:
        return learning_rate(step, total, wanted.learning_rate, 0.1 * wanted.learning_rate, wanted.warmup, "cosine")

    allowed = read("health", Health).bad_steps
    engine = start(net, hardware, device, grad_clip=1.0, head=head, bad_steps=allowed)
    values = [kind, seed, wanted.model_dump(), deciding(hardware)]
    state = state_folder(f"reward_model-{args.name}", [args.init, args.rows], values)
    plan, filler = Plan(wanted.epochs, wanted.batch, seed, rate), picture_filler(renderer, net, hardware)
    train(engine, samples, loss, plan, hardware, stage_spool(f"reward_model@{args.name}"), state, filler)
    save_model(engine, processor, args.out / kind)
    if head is not None and rank() == 0:
        save_head(head, args.out / kind)
    drop_state(state)


def spot_check(out: Path, training: Sequence[RewardRow], check: Sequence[RewardRow], most: int, batch: int) -> dict[str, Any]:
    """Content of spot_check.json: how often each of the two agrees with the labels of questions that neither was trained on."""
    sampling = Sampling(0.0, 1.0, most, 0)
    judges: dict[str, Answer] = {
        "classic": ValueJudge(out / "classic"),
        "judge": Asking(responder_of(str(out / "judge"), None, batch), sampling),
    }
    content: dict[str, Any] = {"rows": {"training": len(training), "check": len(check), "right": sum(row.label for row in check)}}
    for kind, judge in judges.items():
        outcomes = [verdict.outcome for verdict in verify_all([claim_of(row, kind) for row in check], judge=judge)]
        content[kind] = {**agreement(outcomes, [row.label for row in check]), "reported": REPORTED[kind]}
        low, high = content[kind]["ci95"]
        accuracy = content[kind]["accuracy"]
        print(f"{kind}: {accuracy:.1%} [{low:.1%}, {high:.1%}] of {len(check)}, the report {REPORTED[kind]} %")
    return content


if __name__ == "__main__":
    run(main)
