"""The embedded engine against transformers' own generate, against the trainer, and against itself in other batches."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import CPU, Tiny, hardware

from stages.data.files import DataError
from stages.models.positions import position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered
from stages.rollout.engine import Completion, Sampling
from stages.rollout.transformers_engine import TransformersEngine, load_engine
from stages.run.params import Model
from stages.training.batches import TrainingSample, pack
from stages.training.log_probs import TokenLogProbs

GREEDY = Sampling(temperature=0, top_p=1.0, max_tokens=24, seed=0)
HOT = Sampling(temperature=1.0, top_p=1.0, max_tokens=24, seed=5)
TOLERANCE = 2e-4  # float32: one forward with a cache, padded on the left, against one of packed rows


@pytest.fixture(scope="module")
def model(tiny: Tiny) -> Any:
    """The tiny model with its end token made likelier, so that responses end at different places."""
    found = tiny.model()
    with torch.no_grad():
        found.get_input_embeddings().weight[found.generation_config.eos_token_id] *= 1.6
    return found


@pytest.fixture(scope="module")
def engine(tiny: Tiny, model: Any) -> TransformersEngine:
    return TransformersEngine(model, tiny.renderer(), 64)


@pytest.fixture(scope="module")
def prompts(tiny: Tiny) -> list[Prompt]:
    """Text and pictures of different lengths."""
    return [Prompt(problem.question, problem.image) for problem in tiny.problems[::2]]


def rendered(engine: TransformersEngine, prompts: Sequence[Prompt]) -> list[Rendered]:
    return engine.renderer.render(prompts)


def ids(groups: Sequence[Sequence[Completion]]) -> list[tuple[int, ...]]:
    return [completion.token_ids for group in groups for completion in group]


def generated(engine: TransformersEngine, prompt: Rendered) -> tuple[int, ...]:
    """What transformers' own generate answers, with the same tokens forbidden."""
    with torch.no_grad():
        whole = engine.model.eval().generate(
            input_ids=torch.tensor([prompt.token_ids]),
            attention_mask=torch.ones(1, len(prompt.token_ids), dtype=torch.long),
            **{name: value[None] for name, value in prompt.per_token.items()},
            **prompt.pixels,
            do_sample=False,
            max_new_tokens=24,
            bad_words_ids=[[int(token)] for token in engine.banned],
        )
    return tuple(whole[0, len(prompt.token_ids) :].tolist())


def test_greedy_equals_generate_token_for_token(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    found = engine.generate(prompts, GREEDY)
    for prompt, group in zip(rendered(engine, prompts), found, strict=True):
        assert generated(engine, prompt) == group[0].token_ids
    assert {bool(prompt.image) for prompt in prompts} == {True, False}


def test_the_batch_changes_no_greedy_response(tiny: Tiny, engine: TransformersEngine, prompts: list[Prompt]) -> None:
    together = ids(engine.generate(prompts, GREEDY))
    assert ids([engine.generate([prompt], GREEDY)[0] for prompt in prompts]) == together
    assert ids(engine.generate(prompts[::-1], GREEDY)[::-1]) == together
    small = TransformersEngine(engine.model, tiny.renderer(), 2)
    assert ids(small.generate(prompts, GREEDY)) == together
    assert ids(engine.generate(prompts, GREEDY, samples=3)) == [found for found in together for _ in range(3)]


def test_no_one_and_several_pictures_in_one_batch(engine: TransformersEngine, tiny: Tiny) -> None:
    """As alone, as transformers' own generate, and each picture in its place."""
    paths = [str(problem.image) for problem in tiny.problems if problem.image]
    a, b, c = paths[0], paths[3], paths[6]
    asked = [
        Prompt("What?", None),
        Prompt("What?", a),
        Prompt("<image 1> or <image 2> or <image 3>?", (a, b, c)),
        Prompt("<image 1> or <image 2> or <image 3>?", (c, b, a)),
        Prompt("No mark.", (a, b)),
    ]
    found = engine.generate(asked, GREEDY)
    assert ids([engine.generate([prompt], GREEDY)[0] for prompt in asked]) == ids(found)
    assert ids(engine.generate(asked[::-1], GREEDY)[::-1]) == ids(found)
    seen = rendered(engine, asked)
    grids = [len(one.pixels["image_grid_thw"]) if one.pixels else 0 for one in seen]
    assert grids == [0, 1, 3, 3, 2]
    whole, mirrored = (one.pixels["pixel_values"] for one in seen[2:4])
    assert not torch.equal(whole, mirrored)
    assert torch.equal(whole.sort(0).values, mirrored.sort(0).values), "the same patches in another order"
    turned, straight = rendered(engine, [Prompt("<image 2> or <image 1>?", (a, b)), Prompt("<image 1> or <image 2>?", (b, a))])
    assert torch.equal(turned.pixels["pixel_values"], straight.pixels["pixel_values"]), "in the order of the marks"
    assert "<|vision_end|> or <|vision_start|>" in engine.renderer.template(asked[2])
    for prompt, group in zip(seen, found, strict=True):
        assert generated(engine, prompt) == group[0].token_ids
        assert group[0].prompt_tokens == len(prompt.token_ids)


def test_sampling_repeats_by_seed_and_its_samples_differ(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    first = ids(engine.generate(prompts, HOT, samples=3))
    torch.manual_seed(99)
    assert ids(engine.generate(prompts, HOT, samples=3)) == first
    assert ids(engine.generate(prompts, replace(HOT, seed=6), samples=3)) != first
    assert len(set(first)) > 2 * len(prompts)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_log_probs_equal_the_trainers(engine: TransformersEngine, prompts: list[Prompt], temperature: float) -> None:
    groups = engine.generate(prompts, replace(HOT, temperature=temperature), samples=2)
    for prompt, group in zip(rendered(engine, prompts), groups, strict=True):
        for found in group:
            sample = TrainingSample(prompt, found.token_ids, position_ids(engine.model, prompt, len(found.token_ids)))
            with torch.no_grad():
                logp, _ = TokenLogProbs(engine.model, temperature)(pack([sample], 400, 1, 0)[0])
            assert found.logprobs == pytest.approx(logp.tolist(), abs=TOLERANCE)


def test_finish_reasons_lengths_and_texts(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    found = [completion for group in engine.generate(prompts, HOT, samples=8) for completion in group]
    end = int(engine.ends[0])
    assert {completion.finish for completion in found} == {"stop", "length"}
    assert len({len(completion.token_ids) for completion in found}) > 5, "rows leave the batch at different steps"
    for completion in found:
        assert len(completion.logprobs) == len(completion.token_ids)
        body = completion.token_ids[:-1] if completion.finish == "stop" else completion.token_ids
        assert end not in body
        assert completion.finish == "stop" or len(completion.token_ids) == 24
        assert completion.text == engine.tokenizer.decode(list(body))
        assert all(value <= 0 for value in completion.logprobs)


def test_pad_and_picture_tokens_are_never_drawn(engine: TransformersEngine) -> None:
    names = engine.tokenizer.convert_ids_to_tokens(engine.banned.tolist())
    assert {"<|endoftext|>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|im_start|>"} <= set(names)
    assert not torch.isin(engine.ends, engine.banned).any()


def test_no_response_goes_over_the_context(tiny: Tiny, engine: TransformersEngine, prompts: list[Prompt]) -> None:
    lengths = [len(prompt.token_ids) for prompt in rendered(engine, prompts)]
    context = max(lengths) + 3
    narrow = TransformersEngine(engine.model, tiny.renderer(context), 64)
    for length, group in zip(lengths, narrow.generate(prompts, replace(HOT, max_tokens=100), samples=2), strict=True):
        for found in group:
            assert length + len(found.token_ids) <= context
            assert found.finish == "stop" or length + len(found.token_ids) == min(context, length + 100)
    tight = TransformersEngine(engine.model, tiny.renderer(max(lengths)), 64)
    with pytest.raises(DataError, match=f"prompt of {max(lengths)} tokens leaves less than 1 of model.context = {max(lengths)}"):
        tight.generate(prompts, HOT)


def test_nothing_asked_nothing_answered(engine: TransformersEngine) -> None:
    assert engine.generate([], HOT, samples=4) == []


def test_the_mode_of_a_model_in_training_is_left_as_it_was(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    engine.model.train()
    engine.generate(prompts[:1], GREEDY)
    assert engine.model.training
    engine.model.eval()
    engine.generate(prompts[:1], GREEDY)
    assert not engine.model.training


def test_several_end_tokens_and_none(tiny: Tiny, prompts: list[Prompt]) -> None:
    model = tiny.model()
    comma = tiny.renderer().processor.tokenizer.convert_tokens_to_ids(",")
    ends = [model.generation_config.eos_token_id, comma]
    model.generation_config.eos_token_id = ends
    found = ids(TransformersEngine(model, tiny.renderer(), 64).generate(prompts, replace(HOT, max_tokens=60), samples=16))
    assert any(row[-1] == comma for row in found)
    assert all(comma not in row[:-1] for row in found)
    model.generation_config.eos_token_id = None
    with pytest.raises(DataError, match="generation_config names no eos_token_id"):
        TransformersEngine(model, tiny.renderer(), 64)


def test_an_engine_from_a_folder(tiny: Tiny) -> None:
    model = Model(source="scratch", revision=None, context=320, instruction="Answer.")
    found = load_engine(tiny.folder, model, hardware(generation_batch=3))
    (group,) = found.generate([Prompt("What?", None)], replace(GREEDY, max_tokens=3), samples=2)
    assert len(group) == 2
    assert isinstance(found, TransformersEngine)
    assert found.batch == 3
    assert found.model.device == CPU
