"""Nothing here is made for one architecture: packing, SFT, generation and an RL iteration on tiny random others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from architectures import BUILDERS, IMAGE_TEXT_MODELS
from tiny import CPU, Tiny, hardware, largest_gap, partial_rollouts, reinforcement, weights

from stages.models.positions import position_ids
from stages.policy.experience import Experience
from stages.policy.learner import Learner
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.rollout.engine import Request, Sampling
from stages.rollout.transformers_engine import TransformersEngine
from stages.training.batches import TrainingSample, pack
from stages.training.engine import Engine, optimizer_step, start
from stages.training.log_probs import TokenLogProbs, sum_by_sample
from stages.training.loop import mean_token_loss
from stages.training.samples import demonstration_samples, picture_filler
from stages.training.weights import save_model

CONTEXT = 640  # characters nearly: their tokenizers know few words
GREEDY = Sampling(temperature=0, top_p=1.0, max_tokens=10, seed=0)


@pytest.fixture(scope="module", params=list(BUILDERS))
def other(request: pytest.FixtureRequest, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp(request.param)
    architectures.save(request.param, [f"{p.question}\n{p.solution_long}" for p in tiny.problems], folder)
    return Tiny(folder, [p for p in tiny.problems if p.image is None or request.param in IMAGE_TEXT_MODELS])


def seen(other: Tiny) -> set[bool]:
    """Whether prompts have pictures: both kinds, or for a language model text alone."""
    return {problem.image is not None for problem in other.problems}


@pytest.fixture(scope="module")
def model(other: Tiny) -> Any:
    return other.model().eval()


@pytest.fixture(scope="module")
def samples(other: Tiny, model: Any) -> list[TrainingSample]:
    """Text and pictures of each family, short answers and long."""
    chosen = other.demonstrations()[::6] + other.demonstrations()[1::12]
    return demonstration_samples(chosen, other.renderer(CONTEXT), model)[0]


def totals(model: Any, samples: list[TrainingSample], tokens: int) -> torch.Tensor:
    module, total = TokenLogProbs(model), torch.zeros(len(samples), dtype=torch.float64)
    with torch.no_grad():
        for batch in pack(samples, tokens, 0):
            inputs = {name: value.double() if value.is_floating_point() else value for name, value in batch.inputs.items()}
            batch.inputs.update(inputs)
            total += sum_by_sample(module(batch)[0].double(), batch, len(samples))
    return total


def test_packing_changes_no_log_probability(other: Tiny, samples: list[TrainingSample]) -> None:
    """In double precision, so that the least look at a neighbour would be seen."""
    model = other.model().eval().double()
    assert {bool(sample.prompt.pixels) for sample in samples} == seen(other)
    alone = torch.cat([totals(model, [sample], 10_000) for sample in samples])
    for tokens in (1500, 700):
        torch.testing.assert_close(totals(model, samples, tokens), alone, rtol=0, atol=2e-4)


def test_log_probs_equal_the_logits_of_the_model(samples: list[TrainingSample], model: Any) -> None:
    """One sample of text, one with a picture where the model reads them."""
    kinds = {bool(sample.prompt.pixels): sample for sample in samples}
    for sample in kinds.values():
        (batch,) = pack([sample], 10_000, 0)
        with torch.no_grad():
            ours, _ = TokenLogProbs(model)(batch)
            inputs = {name: value for name, value in batch.inputs.items() if name != "position_ids"}
            logs = torch.log_softmax(model(**inputs).logits[0].float(), -1)
        start_of = len(sample.prompt.token_ids)
        expected = [float(logs[start_of + place - 1, token]) for place, token in enumerate(sample.response_ids)]
        assert ours.tolist() == pytest.approx(expected, abs=1e-4)


def test_greedy_equals_generate(other: Tiny, model: Any) -> None:
    """In three slots, so that most responses begin beside others that have gone on for a while."""
    renderer = other.renderer(CONTEXT)
    engine = TransformersEngine(model, renderer, 3)
    prompts = [Prompt(problem.question, problem.image) for problem in other.problems[::3]]
    groups = engine.generate(prompts, GREEDY)
    banned = [[int(token)] for token in engine.banned]
    for prompt, group in zip(renderer.render(prompts), groups, strict=True):
        ids = torch.tensor([prompt.token_ids])
        inputs = {name: value[None] for name, value in prompt.per_token.items()}
        with torch.no_grad():
            whole = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                **inputs,
                **prompt.pixels,
                do_sample=False,
                max_new_tokens=10,
                bad_words_ids=banned,
            )
        assert tuple(whole[0, ids.shape[1] :].tolist()) == group[0].token_ids


def test_responses_that_go_on_are_those_of_one_call(other: Tiny, model: Any) -> None:
    """Begun in one call and ended in another, in other slots, with other lengths of padding: sampled, text and pictures."""
    renderer, hot = other.renderer(CONTEXT), Sampling(1.0, 1.0, 24, 0)
    prompts = [Prompt(problem.question, problem.image) for problem in other.problems[1::4]]
    rendered = renderer.render(prompts)
    assert {bool(prompt.pixels) for prompt in rendered} == seen(other)
    asked = [
        Request(prompt, shown, (), 24, 24, 10 * place + sample)
        for place, (prompt, shown) in enumerate(zip(prompts, rendered, strict=True))
        for sample in range(2)
    ]
    whole = TransformersEngine(model, renderer, 16).extend(asked, hot)
    small = TransformersEngine(model, renderer, 3)
    begun = small.extend([replace(one, budget=1 + place % 9) for place, one in enumerate(asked)], hot)
    going = [place for place, piece in enumerate(begun) if piece.finish == "cut"]
    rest = small.extend([replace(asked[place], start=begun[place].token_ids, limit=24) for place in going], hot)
    found = {place: begun[place].token_ids for place in range(len(asked))}
    for place, piece in zip(going, rest, strict=True):
        found[place] += piece.token_ids
    for place, expected in enumerate(whole):
        assert found[place][: len(expected.token_ids)] == expected.token_ids
    assert len(going) > len(asked) // 2


def test_several_pictures_in_a_prompt(other: Tiny, model: Any) -> None:
    """In one batch with one and none, as each of them alone."""
    if True not in seen(other):
        pytest.skip("text-only model")
    engine = TransformersEngine(model, other.renderer(CONTEXT), 16)
    a, b, c = [str(problem.image) for problem in other.problems if problem.image][::4]
    prompts = [
        Prompt("What?", None),
        Prompt("What?", a),
        Prompt("<image 1> or <image 2> or <image 3>?", (a, b, c)),
        Prompt("<image 1> or <image 2> or <image 3>?", (c, b, a)),
    ]
    together = [group[0].token_ids for group in engine.generate(prompts, GREEDY)]
    assert [engine.generate([prompt], GREEDY)[0][0].token_ids for prompt in prompts] == together


def test_sampled_log_probs_equal_the_trainers(other: Tiny, model: Any) -> None:
    renderer = other.renderer(CONTEXT)
    engine = TransformersEngine(model, renderer, 16)
    prompts = [Prompt(problem.question, problem.image) for problem in other.problems[1::5]]
    groups = engine.generate(prompts, Sampling(1.0, 1.0, 10, 3), samples=2)
    for prompt, group in zip(renderer.render(prompts), groups, strict=True):
        for found in group:
            sample = TrainingSample(prompt, found.token_ids, position_ids(model, prompt, len(found.token_ids)))
            with torch.no_grad():
                logp, _ = TokenLogProbs(model)(pack([sample], 2000, 0)[0])
            assert found.logprobs == pytest.approx(logp.tolist(), abs=1e-3)


def test_picture_tokens_are_never_drawn(model: Any, other: Tiny) -> None:
    engine = TransformersEngine(model, other.renderer(CONTEXT), 16)
    if True in seen(other):
        assert model.config.image_token_id in engine.banned.tolist()
    assert engine.tokenizer.pad_token_id in engine.banned.tolist()
    assert not set(engine.ends.tolist()) & set(engine.banned.tolist())


@pytest.mark.parametrize("zero_stage", [0, 3])
def test_sft_steps_and_text_alone(other: Tiny, samples: list[TrainingSample], zero_stage: int, tmp_path: Path) -> None:
    wanted = hardware(zero_stage=zero_stage)
    fresh = other.model()
    filler = picture_filler(other.renderer(CONTEXT), fresh, wanted)
    engine = start(fresh, wanted, CPU, 1.0)
    text = [sample for sample in samples if not sample.prompt.pixels]
    losses = [
        optimizer_step(engine, pack(part, 1400, 0, filler), mean_token_loss(range(len(part)), part), 3e-3).loss
        for part in (samples, text, samples)
    ]
    assert losses[2] < losses[0]
    if zero_stage == 0:
        same_when_loaded_again(engine, other, samples, tmp_path)


def same_when_loaded_again(engine: Engine, other: Tiny, samples: list[TrainingSample], folder: Path) -> None:
    """What was trained is saved as an ordinary folder, which has its log-probabilities and reads text and pictures alike."""
    processor = other.renderer(CONTEXT).processor
    save_model(engine, processor, folder / "saved")
    again = Tiny(folder / "saved", other.problems)
    trained, loaded = totals(engine.model.eval(), samples, 700), totals(again.model().eval(), samples, 700)
    torch.testing.assert_close(loaded, trained, rtol=0, atol=1e-3)
    prompts = [Prompt(problem.question, problem.image) for problem in other.problems]
    both = [tiny.renderer(CONTEXT).render(prompts) for tiny in (other, again)]
    for left, right in zip(*both, strict=True):
        assert left.token_ids == right.token_ids
        assert left.pixels.keys() == right.pixels.keys()
        assert all(torch.equal(left.pixels[name], right.pixels[name]) for name in left.pixels)


def test_rl_iterations_with_responses_that_are_continued(other: Tiny) -> None:
    wanted = hardware()
    rl = reinforcement(samples=2, max_tokens=6, mini_batch=4, learning_rate=1e-3, warmup_steps=0, length_weight=0.5)
    rl = rl.model_copy(update={"length_from": 0, "train_zero_signal": True, "passes": 1})
    trainer = start(other.model(), wanted, CPU, rl.grad_clip)
    renderer: Renderer = other.renderer(CONTEXT)
    engine = TransformersEngine(trainer.model, renderer, 16)
    learner = Learner(trainer, Experience(engine, renderer, rl, partial_rollouts(segment_tokens=4), wanted, seed=2))
    before = weights(trainer.model)
    curated = other.curated()
    first, _, _ = learner.iterate(0, [curated[place % len(curated)] for place in (7, 10)])
    second, figures, _ = learner.iterate(1, [])
    assert len(first | second) == 2, "responses of up to six tokens, four of them in the first iteration"
    assert second, "random weights end no response"
    assert abs(figures["kl_rollout_trainer"]) < 1e-3, "of the tokens after the cut"
    assert largest_gap(before, weights(trainer.model)) > 1e-4 or figures["zero_signal"] == 1.0
