"""What all benchmarks of the model share: a tiny model that was trained for a minute on demonstrations of mixed length, so that
its responses are of mixed length too, and the problems around it. Made once, kept under artifacts/benchmarks."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measure import ROOT

from stages.data.records import CuratedProblem
from stages.models.loading import load_model, load_processor
from stages.models.scratch import TinyShape, build_model, build_processor, save, train_tokenizer
from stages.problems.procedural import FAMILIES, IMAGE_FAMILIES, TEXT_FAMILIES, generate
from stages.problems.teaching import demonstrations, without_repeats
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer
from stages.run.params import Hardware, Model, WarmUp, read
from stages.run.spool import Spool
from stages.training.batches import TrainingSample
from stages.training.engine import Engine, start
from stages.training.loop import Plan, mean_token_loss, train
from stages.training.samples import demonstration_samples
from stages.training.schedules import learning_rate
from stages.training.weights import save_model

CPU = torch.device("cpu")
HIDDEN, LAYERS, HEADS, VOCABULARY, INITIALIZER_RANGE = 96, 4, 4, 512, 0.09
PROBLEMS = 90
"""Of each family."""
EPOCHS, BATCH, PEAK = 6, 64, 0.003
HOUSE = ROOT / "artifacts/benchmarks"


@dataclass(frozen=True)
class Material:
    """A checkpoint folder, problems, and the project's own settings for one process on the CPU."""

    folder: Path
    problems: Sequence[CuratedProblem]
    hardware: Hardware
    model: Model
    warm_up: WarmUp

    def net(self) -> Any:
        """A fresh copy of the model."""
        return load_model(self.folder, CPU)

    def renderer(self) -> Renderer:
        return Renderer(load_processor(self.folder), self.model.instruction, self.model.context)

    def some(self, kind: str, count: int) -> list[CuratedProblem]:
        """`count` problems with text or pictures, their families in turn."""
        families = [[p for p in self.problems if p.family == name] for name in KINDS[kind]]
        return [problem for group in zip(*families, strict=True) for problem in group][:count]

    def rendered(self, problems: Sequence[CuratedProblem], renderer: Renderer) -> list[Rendered]:
        return renderer.render([Prompt(problem.question, problem.image) for problem in problems])

    def samples(self, net: Any, problems: Sequence[CuratedProblem]) -> list[TrainingSample]:
        """Long demonstrations as `warm_up` makes them, as `sft` reads them."""
        rows = without_repeats([row for problem in problems for row in demonstrations(problem, self.warm_up, 0)])
        return demonstration_samples(rows, self.renderer(), net)[0]

    def sizes(self) -> dict[str, Any]:
        """What the figures depend on."""
        return {
            "hidden": HIDDEN,
            "layers": LAYERS,
            "parameters": sum(p.numel() for p in self.net().parameters()),
            "context": self.model.context,
            "micro_batch_tokens": self.hardware.micro_batch_tokens,
        }


KINDS = {"text": tuple(TEXT_FAMILIES), "pictures": tuple(IMAGE_FAMILIES)}


def material() -> Material:
    """The shared model; trained now when it is not there yet."""
    hardware = read("hardware", Hardware).model_copy(
        update={"device": "cpu", "processes": 1, "zero_stage": 0, "gradient_checkpointing": False}
    )
    model, warm_up = read("model", Model), read("warm_up", WarmUp)
    made_of = [HIDDEN, LAYERS, HEADS, VOCABULARY, PROBLEMS, EPOCHS, BATCH, PEAK, model.model_dump(), warm_up.model_dump()]
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode())
    for path in sorted((ROOT / "stages/problems").rglob("*.py")):
        digest.update(path.read_bytes())
    folder = HOUSE / digest.hexdigest()[:16]
    problems = [
        CuratedProblem(**problem.model_dump(), pass_rate=0.5)
        for family in FAMILIES
        for problem in generate(family, "train", PROBLEMS, 0, folder / "images")
    ]
    found = Material(folder / "model", problems, hardware, model, warm_up)
    if not (folder / "model/config.json").exists():
        _make(found, folder)
    return found


def _make(found: Material, folder: Path) -> None:
    texts = [f"{p.question}\n{p.solution_long}\n{p.solution_short}\n{found.model.instruction}" for p in found.problems]
    tokenizer = train_tokenizer(texts, VOCABULARY)
    processor = build_processor(tokenizer, 256 * found.model.context)
    net = build_model(tokenizer, TinyShape(HIDDEN, LAYERS, HEADS, found.model.context, INITIALIZER_RANGE), seed=0)
    save(folder / "start", net, processor)
    untrained = Material(folder / "start", found.problems, found.hardware, found.model, found.warm_up)
    samples = untrained.samples(net, found.problems)
    engine = start(net, found.hardware, CPU, grad_clip=1.0)
    plan = Plan(EPOCHS, BATCH, 0, lambda step, total: learning_rate(step, total, PEAK, 0.0, 0.05, "cosine"))
    go_through(engine, samples, plan, found.hardware, folder)
    save_model(engine, processor, found.folder)


def go_through(engine: Engine, samples: Sequence[TrainingSample], plan: Plan, hardware: Hardware, folder: Path) -> None:
    """Train as stages.sft does, the curves and the state of an interrupted run into `folder`."""
    spool = Spool(folder / "spool.jsonl")
    train(engine, samples, lambda step, _, __: mean_token_loss(step, samples), plan, hardware, spool, folder / "state", None)
