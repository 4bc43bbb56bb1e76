"""A real pretrained model, SmolLM2-135M-Instruct: from the registry package through SFT and RL to a checkpoint that generates.

Needs the package in the cache or a registry that has it, else every test is skipped with the reason."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import CPU, INSTRUCTION, fine_tuning, hardware, params, partial_rollouts, problem, reinforcement
from transformers import AutoModelForCausalLM

from flows import overrides
from stages.data.files import DataError
from stages.data.records import Demonstration
from stages.models.adoption import adopt
from stages.models.loading import described, load_model, load_processor
from stages.models.origin import label_of
from stages.models.registry_package import package_file
from stages.policy import experience as module
from stages.policy.experience import Experience
from stages.policy.learner import Learner
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.rollout.engine import Sampling
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.params import Model
from stages.run.sections import Loss
from stages.training.batches import pack
from stages.training.engine import Engine, optimizer_step, start
from stages.training.log_probs import TokenLogProbs, split_by_sample
from stages.training.loop import mean_token_loss
from stages.training.samples import demonstration_samples
from stages.training.weights import save_model
from stages.verifiers.claims import Claim, Verdict

pytestmark = [pytest.mark.slow]
LABEL = "SmolLM2-135M-Instruct, dequantised from Q4_1"
CONTEXT = 192
# <|im_start|> is 1, <|im_end|> 2, "12" the digits 33 and 34 after a space (216).
GOLDEN = [
    *(1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 8182, 2, 198),
    *(1, 4093, 198, 1780, 314, 216, 33, 34, 1232, 216, 35, 47, 198, 21350, 281, 3814, 4810, 277, 6150, 30, 2, 198),
    *(1, 520, 9531, 198),
]
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@pytest.fixture(scope="module")
def model() -> Model:
    """Source and checksum of the preset."""
    values = overrides.preset("smollm2")
    source, revision = values["model.source"], values["model.revision"]
    try:
        package_file(source, revision)
    except DataError as error:
        pytest.skip(str(error))
    return Model(**{**params()["model"], "source": source, "revision": revision, "context": CONTEXT})


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint that the stage base writes."""
    found = tmp_path_factory.mktemp("smollm2") / "base"
    adopt(model, found)
    return found


@pytest.fixture(scope="module")
def renderer(folder: Path) -> Renderer:
    return Renderer(load_processor(folder), INSTRUCTION, CONTEXT)


@pytest.fixture(scope="module")
def trainer(folder: Path) -> Engine:
    """The checkpoint in bfloat16, with DeepSpeed's master weights in float32, as the preset has it."""
    return start(load_model(folder, CPU, dtype=torch.bfloat16), hardware(dtype="bfloat16"), CPU, grad_clip=1.0)


def demonstrations() -> list[Demonstration]:
    texts = [
        ("What is 12 * 3?", "12*3=36\n\\boxed{36}"),
        ("Which is larger, 7 or 9?", "\\boxed{9}"),
        ("What is 5 - 8?", "\\boxed{-3}"),
    ]
    return [
        Demonstration(
            id=str(number), problem_id=str(number), family="arithmetic", question=question, image=None, verifier="integer",
            response=response, response_ids=None, form="short", behaviours={},
        )
        for number, (question, response) in enumerate(texts)
    ]  # fmt: skip


def test_the_checkpoint_is_an_ordinary_folder_that_says_what_it_is(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert label_of(config) == label_of(described(folder).config) == LABEL
    assert (config["vocab_size"], config["hidden_size"], config["num_key_value_heads"]) == (49152, 576, 3)
    assert "quantization_config" not in config


def test_template_ids(renderer: Renderer) -> None:
    """Golden ids: the file's own template with its system turn, as published with the model; each digit is a token."""
    (found,) = renderer.render([Prompt("What is 12 + 3?", None)])
    turns = (f"system\n{SYSTEM}<|im_end|>\n", f"user\nWhat is 12 + 3?\n{INSTRUCTION}<|im_end|>\n", "assistant\n")
    text = "".join(f"<|im_start|>{turn}" for turn in turns)
    assert renderer.processor.tokenizer.decode(found.token_ids) == text
    assert list(found.token_ids) == GOLDEN


def test_log_probs_equal_those_of_plain_transformers(model: Model, folder: Path, renderer: Renderer) -> None:
    """Three samples packed into a row by us, against the file itself read by transformers, one forward each; float32."""
    net = load_model(folder, CPU, dtype=torch.float32)
    samples, left_out = demonstration_samples(demonstrations(), renderer, net)
    assert not left_out
    assert all(sample.response_ids[-1] == 2 for sample in samples), "the end token carries loss, though it pads as well"
    (batch,) = pack(samples, 1024, 0)
    with torch.no_grad():
        logp, _ = TokenLogProbs(net.eval())(batch)
    file = package_file(model.source, model.revision)
    plain = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).eval()
    parts = split_by_sample(logp, batch)
    for index, sample in enumerate(samples):
        prompt, response = list(sample.prompt.token_ids), list(sample.response_ids)
        with torch.no_grad():
            logits = plain(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
        expected = torch.log_softmax(logits, -1).gather(-1, torch.tensor(response)[:, None])[:, 0]
        assert parts[index].tolist() == pytest.approx(expected.tolist(), abs=2e-4)


def test_a_step_of_sft_lowers_the_loss(trainer: Engine, renderer: Renderer) -> None:
    samples, _ = demonstration_samples(demonstrations(), renderer, trainer.model)
    losses = [
        optimizer_step(trainer, pack(samples, 1024, 2), mean_token_loss(range(3), samples), fine_tuning().learning_rate / 50).loss
        for _ in range(3)
    ]
    assert losses[0] > losses[1] > losses[2] > 0


def test_an_iteration_of_rl_then_saved_loaded_and_asked(
    trainer: Engine, renderer: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Responses that begin with a letter are right, so that there is something to learn; engine and trainer agree in bfloat16."""

    def judge(items: Sequence[Claim], *_: Any) -> list[Verdict]:
        return [Verdict("right" if item.response[:1].isalpha() else "wrong", None, "") for item in items]

    monkeypatch.setattr(module, "verify_all", judge)
    monkeypatch.setattr(module, "without_end", lambda _: None)
    rl = reinforcement(
        prompts=2, samples=4, max_tokens=12, mini_batch=8, passes=1, warmup_steps=0, learning_rate=1e-5, train_zero_signal=True
    )
    engine = TransformersEngine(trainer.model, renderer, 8)
    learner = Learner(
        trainer,
        Experience(
            engine, renderer, rl, partial_rollouts(), hardware(dtype="bfloat16"), seed=3, loss=Loss(variants=[], drop_negatives=0.0)
        ),
    )
    _, figures, _ = learner.iterate(0, [problem(4), problem(5)])
    assert figures["grad_norm"] > 0
    assert abs(figures["kl_rollout_trainer"]) < 0.01, "the limit from which health warns"
    save_model(trainer, renderer.processor, tmp_path)
    again = TransformersEngine(load_model(tmp_path, CPU, dtype=torch.bfloat16), Renderer(load_processor(tmp_path), "", CONTEXT), 8)
    greedy = Sampling(temperature=0, top_p=1.0, max_tokens=8, seed=0)
    asked = [Prompt("What is the capital of France?", None, instruction="")]
    assert again.generate(asked, greedy)[0][0].token_ids == engine.generate(asked, greedy)[0][0].token_ids
    assert label_of(described(tmp_path).config) == LABEL
