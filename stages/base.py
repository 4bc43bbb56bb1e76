"""base (§2.5.1): the model that everything starts from - a hub checkpoint, a local folder, or `scratch`: a tiny
vision-language model pretrained here on generated text and pictures."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stages.data.files import read_records
from stages.data.records import Problem
from stages.models.adoption import adopt
from stages.models.loading import device_of
from stages.models.positions import position_ids
from stages.models.scratch import TinyShape, build_model, build_processor, train_tokenizer
from stages.problems.pretraining import Document, documents
from stages.problems.search import GIVE_UP
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer
from stages.run.params import Base, Hardware, Model, read
from stages.run.program import run
from stages.run.ranks import rank
from stages.run.sections import Health, deciding
from stages.run.seeds import stream_seed
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.training.batches import TrainingSample
from stages.training.checkpoints import drop_state
from stages.training.engine import start
from stages.training.loop import Plan, mean_token_loss, train
from stages.training.samples import picture_filler
from stages.training.schedules import learning_rate
from stages.training.weights import save_model

TOGETHER = 64
"""Pictures that are prepared in one call."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--problems", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--curves", type=Path, required=True)
    options = arguments.parse_args()
    model = read("model", Model)
    spool = stage_spool("base")
    if model.source == "scratch":
        pretrain(options.problems, options.out, model)
    elif rank() == 0:
        adopt(model, options.out)
    if rank() == 0:
        spool.write_csv(options.curves)


def pretrain(problems: Path, out: Path, model: Model) -> None:
    """The tiny model from random weights: worksheets, captions, and a tokenizer that knows the user's own training texts too."""
    base, hardware, seed = read("base", Base), read("hardware", Hardware), read("seed", int)
    generated = documents(base.examples, stream_seed(seed, "base"))
    tokenizer = train_tokenizer(tokenizer_texts(generated, problems, model), base.vocabulary)
    processor = build_processor(tokenizer, max_pixels=256 * model.context)
    shape = TinyShape(base.hidden, base.layers, base.heads, model.context, base.initializer_range)
    net = build_model(tokenizer, shape, stream_seed(seed, "init"))
    renderer = Renderer(processor, "", model.context)
    samples, device = document_samples(generated, renderer, net), device_of(hardware)
    ratio = None if base.muon_learning_rate is None else base.muon_learning_rate / base.learning_rate
    allowed = read("health", Health).bad_steps
    engine = start(net.to(device), hardware, device, grad_clip=1.0, muon_ratio=ratio, bad_steps=allowed)
    plan = Plan(
        base.epochs,
        base.batch,
        seed,
        lambda step, total: learning_rate(step, total, base.learning_rate, 0.0, base.warmup, "wsd"),
        shuffled=False,
    )
    state = state_folder("base", [problems / "train.jsonl"], [seed, base.model_dump(), model.model_dump(), deciding(hardware)])
    filler = picture_filler(renderer, net, hardware)
    train(engine, samples, lambda step, _, __: mean_token_loss(step, samples), plan, hardware, stage_spool("base"), state, filler)
    save_model(engine, processor, out)
    drop_state(state)


def tokenizer_texts(generated: Sequence[Document], problems: Path, model: Model) -> list[str]:
    """What the tokenizer is made from: the last generated documents, of all kinds, fixed phrases, texts of real problems."""
    own = [problem for problem in read_records(problems / "train.jsonl", Problem) if problem.source != "procedural"]
    real = [f"{problem.question}\n{problem.solution_long or problem.solution_short or ''}" for problem in own]
    phrases = [f"{model.instruction} \\boxed{{}}", f"{GIVE_UP}Check: ok\n"]
    return [*(f"{document.question}\n{document.continuation}" for document in generated[-3000:]), *real, *phrases * 50]


def document_samples(generated: Sequence[Document], renderer: Renderer, net: Any) -> list[TrainingSample]:
    """What stands after the prompt is learned; the numbers of a question are chance, and would drown what pictures teach."""
    plain = iter(renderer.render([Prompt(document.question, None) for document in generated if document.image is None]))
    pictured = pictured_prompts([document for document in generated if document.image is not None], renderer)
    texts = [document.continuation for document in generated]
    continuations = renderer.processor.tokenizer(texts, add_special_tokens=False)["input_ids"]
    samples = []
    for document, ids in zip(generated, continuations, strict=True):
        prompt = next(plain if document.image is None else pictured)
        samples.append(TrainingSample(prompt, tuple(ids), position_ids(net, prompt, len(ids))))
    return samples


def pictured_prompts(pictured: Sequence[Document], renderer: Renderer) -> Iterator[Rendered]:
    """Documents with pictures as the scratch model reads them; its processor lays the patches of many pictures end to end, which
    takes half the time of one by one."""
    for first in range(0, len(pictured), TOGETHER):
        some = pictured[first : first + TOGETHER]
        texts = [renderer.template(Prompt(document.question, "")) for document in some]
        images = [[document.image] for document in some]
        out = renderer.processor(text=texts, images=images, return_tensors="pt", padding=True, add_special_tokens=False)
        patches = out["pixel_values"].split(out["image_grid_thw"].prod(-1).tolist())
        for place, kept in enumerate(out["attention_mask"].bool()):
            per_token = {"mm_token_type_ids": out["mm_token_type_ids"][place][kept]}
            pixels = {"pixel_values": patches[place].clone(), "image_grid_thw": out["image_grid_thw"][place : place + 1]}
            yield Rendered(tuple(out["input_ids"][place][kept].tolist()), per_token, pixels)


if __name__ == "__main__":
    run(main)
