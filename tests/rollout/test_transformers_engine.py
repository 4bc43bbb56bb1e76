"""The embedded engine against transformers' own generate, against the trainer, and against itself in other batches."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import Tiny

from stages.data.files import DataError
from stages.models.positions import position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered
from stages.rollout import transformers_engine as module
from stages.rollout.engine import Completion, Piece, Repetition, Request, RolloutEngine, Sampling
from stages.rollout.prefill import Prefix, prefill
from stages.rollout.repetition import repeated_tail
from stages.rollout.transformers_engine import TransformersEngine
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


def requests(
    engine: TransformersEngine, prompts: Sequence[Prompt], samples: int = 1, budget: int = 24, limit: int = 24
) -> list[Request]:
    """Fresh ones, the samples of a prompt next to each other, each with a seed of its own."""
    pairs = list(zip(prompts, rendered(engine, prompts), strict=True))
    return [
        Request(prompt, seen, (), budget, limit, 1000 * place + sample)
        for place, (prompt, seen) in enumerate(pairs)
        for sample in range(samples)
    ]


def later(asked: Request, piece: Piece) -> Request:
    """Going on where `piece` ended."""
    return replace(asked, start=asked.start + piece.token_ids, limit=asked.limit - len(piece.token_ids))


@pytest.mark.parametrize("sampling", [GREEDY, HOT, replace(HOT, temperature=0.7, top_p=0.9)], ids=["greedy", "hot", "top_p"])
@pytest.mark.parametrize("batch", [3, 16])
def test_responses_do_not_depend_on_their_neighbours(
    tiny: Tiny, engine: TransformersEngine, prompts: list[Prompt], sampling: Sampling, batch: int
) -> None:
    """Text and pictures, two samples of each: the tokens of each request alone, whatever slots there are, in whatever order."""
    asked = requests(engine, prompts[1:9], samples=2, budget=12, limit=12)
    alone = [engine.extend([one], sampling)[0] for one in asked]
    small = TransformersEngine(engine.model, tiny.renderer(), batch)
    for order in (range(16), range(15, -1, -1), [place * 7 % 16 for place in range(16)]):
        found = small.extend([asked[place] for place in order], sampling)
        for place, piece in zip(order, found, strict=True):
            assert (piece.token_ids, piece.finish) == (alone[place].token_ids, alone[place].finish)
            assert piece.logprobs == pytest.approx(alone[place].logprobs, abs=TOLERANCE)


@pytest.mark.parametrize("sampling", [GREEDY, HOT], ids=["greedy", "hot"])
@pytest.mark.parametrize("budget", [1, 7])
def test_a_response_in_several_calls_is_the_response_in_one(
    engine: TransformersEngine, prompts: list[Prompt], sampling: Sampling, budget: int
) -> None:
    """What is cut goes on, next to fresh ones, until all have ended; ends and log-probabilities are the same."""
    asked = requests(engine, prompts[:6], samples=2)
    whole = engine.extend(asked, sampling)
    found: list[list[Piece]] = [[] for _ in asked]
    going = {place: replace(one, budget=budget) for place, one in enumerate(asked)}
    waiting = [place for place in going if place >= 4]
    while going:
        now = [place for place in going if place not in waiting[:2]]
        for place, piece in zip(now, engine.extend([going[place] for place in now], sampling), strict=True):
            assert len(piece.token_ids) <= budget
            found[place].append(piece)
            going[place] = later(going[place], piece)
            if piece.finish != "cut":
                del going[place]
        del waiting[:2]
    assert {piece.finish for piece in whole} == {"stop", "length"}
    for expected, pieces in zip(whole, found, strict=True):
        assert [piece.finish for piece in pieces[:-1]] == ["cut"] * (len(pieces) - 1)
        assert pieces[-1].finish == expected.finish
        assert tuple(token for piece in pieces for token in piece.token_ids) == expected.token_ids
        logprobs = [value for piece in pieces for value in piece.logprobs]
        assert logprobs == pytest.approx(expected.logprobs, abs=TOLERANCE)


def test_greedy_goes_on_as_generate_does(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    """Small batch, refill, half of the responses begun already."""
    expected = [generated(engine, one) for one in rendered(engine, prompts)]
    asked = [
        replace(one, start=tokens[: 5 * (place % 2)], limit=24 - 5 * (place % 2))
        for place, (one, tokens) in enumerate(zip(requests(engine, prompts), expected, strict=True))
    ]
    asked, expected = zip(*[(one, tokens) for one, tokens in zip(asked, expected, strict=True) if len(tokens) > 5], strict=True)
    small = TransformersEngine(engine.model, engine.renderer, 3)
    for one, piece, tokens in zip(asked, small.extend(asked, GREEDY), expected, strict=True):
        assert one.start + piece.token_ids == tokens


def test_a_prefix_is_read_once_for_all_its_samples(
    engine: TransformersEngine, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures, too, and where its samples are begun at different times; what they get is what unshared ones get."""
    read: list[Prefix] = []

    def noting(model: Any, prefixes: Sequence[Prefix], pad_id: int) -> Any:
        read.extend(prefixes)
        return prefill(model, prefixes, pad_id)

    monkeypatch.setattr(module, "prefill", noting)
    asked = requests(engine, prompts[:6], samples=8)
    small = TransformersEngine(engine.model, engine.renderer, 5)
    shared = small.extend(asked, HOT)
    assert [prefix.prompt.token_ids for prefix in read] == [one.rendered.token_ids for one in asked[::8]]
    assert any(prefix.prompt.pixels for prefix in read)
    unshared = small.extend([replace(one, rendered=replace(one.rendered)) for one in asked], HOT)
    assert len(read) == 6 + len(asked)
    assert [piece.token_ids for piece in shared] == [piece.token_ids for piece in unshared]


def test_budgets_limits_and_the_context(tiny: Tiny, engine: TransformersEngine, prompts: list[Prompt]) -> None:
    """Each request has its own; at the limit and the budget at once it is the limit that counts."""
    (one,) = requests(engine, prompts[:1])
    never = replace(HOT, temperature=0)
    silent = TransformersEngine(engine.model, engine.renderer, 4)
    silent.ends = torch.tensor([-5])
    pairs = [(3, 9, 3, "cut"), (9, 3, 3, "length"), (4, 4, 4, "length"), (1, 2, 1, "cut"), (1, 1, 1, "length"), (8, 10, 8, "cut")]
    found = silent.extend([replace(one, budget=budget, limit=limit) for budget, limit, _, _ in pairs], never)
    assert [(len(piece.token_ids), piece.finish) for piece in found] == [(length, finish) for _, _, length, finish in pairs]
    context = len(one.rendered.token_ids) + 5
    narrow = TransformersEngine(engine.model, tiny.renderer(context), 4)
    narrow.ends = silent.ends
    (piece,) = narrow.extend([one], never)
    assert (len(piece.token_ids), piece.finish) == (5, "length")
    (piece,) = narrow.extend([replace(one, start=piece.token_ids[:2], budget=3)], never)
    assert (len(piece.token_ids), piece.finish) == (3, "length")
    for wrong in (replace(one, start=(1,) * 5), replace(one, budget=0), replace(one, limit=0)):
        with pytest.raises(DataError, match=r"request 1: .* nothing can be added in model.context"):
            narrow.extend([one, wrong], never)


def test_each_piece_is_told_as_soon_as_it_ends(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    told: list[int] = []
    limits = (24, 2, 9, 1)
    (one,) = requests(engine, prompts[:1])
    silent = TransformersEngine(engine.model, engine.renderer, 3)
    silent.ends = torch.tensor([-5])
    found = silent.extend(
        [replace(one, limit=limit) for limit in limits], GREEDY, lambda place, piece: told.append((place, len(piece.token_ids)))
    )
    assert [len(piece.token_ids) for piece in found] == list(limits)
    assert told == [(1, 2), (3, 1), (2, 9), (0, 24)], "the fourth begins when the second has ended"


def test_a_response_that_repeats_itself_ends(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    """Greedy responses of a random model loop; each ends at the first token at which the pure function sees it, also where it
    goes on in a second call."""
    rule = Repetition(max_period=12, repeats=3, min_tokens=9, distinct=1)
    asked = requests(engine, prompts, budget=60, limit=60)
    free = engine.extend(asked, GREEDY)
    watched = replace(GREEDY, repetition=rule)
    found = TransformersEngine(engine.model, engine.renderer, 5).extend(asked, watched)
    again = 0
    for one, piece, whole in zip(asked, found, free, strict=True):
        ends = [place for place in range(1, len(whole.token_ids) + 1) if repeated_tail(whole.token_ids[:place], rule)]
        length = min([*ends, len(whole.token_ids)])
        assert piece.token_ids == whole.token_ids[:length]
        assert piece.finish == ("repeat" if ends else whole.finish)
        if ends and length > 4:
            again += 1
            (rest,) = engine.extend([replace(one, start=piece.token_ids[:4], limit=56)], watched)
            assert (piece.token_ids[:4] + rest.token_ids, rest.finish) == (piece.token_ids, "repeat")
    assert again > 2


def test_weights_arrive_by_name_in_place(tiny: Tiny, prompts: list[Prompt]) -> None:
    engine: RolloutEngine = TransformersEngine(tiny.model(), tiny.renderer(), 8)
    other = tiny.model()
    with torch.no_grad():
        for value in other.parameters():
            value.mul_(1.5)
    asked = requests(engine, prompts[:2])
    places = {name: value.data_ptr() for name, value in engine.model.named_parameters()}
    before = engine.extend(asked, GREEDY)
    engine.sleep()
    engine.take_weights((name, value.to(torch.float64)) for name, value in other.named_parameters())
    engine.wake()
    after = engine.extend(asked, GREEDY)
    assert after == TransformersEngine(other, tiny.renderer(), 8).extend(asked, GREEDY) != before
    assert {name: value.data_ptr() for name, value in engine.model.named_parameters()} == places
    engine.take_weights(engine.model.named_parameters())
    assert engine.extend(asked, GREEDY) == after, "its own tensors stay what they are"


def test_weights_that_are_not_the_models_are_refused(tiny: Tiny) -> None:
    engine = TransformersEngine(tiny.model(), tiny.renderer(), 8)
    sent = [(name, value.detach()) for name, value in tiny.model().named_parameters()]
    with pytest.raises(DataError, match=f"1 of {len(sent)} weights did not arrive, the first {sent[3][0]}; send all"):
        engine.take_weights(sent[:3] + sent[4:])
    with pytest.raises(DataError, match=f"weight {sent[0][0]} arrived twice"):
        engine.take_weights([*sent, sent[0]])
    with pytest.raises(DataError, match=r"weight model\.unknown is no parameter of the engine's model"):
        engine.take_weights([*sent, ("model.unknown", sent[0][1])])
    with pytest.raises(DataError, match=rf"weight {sent[0][0]} has the shape \(3, 2\); the engine's model has"):
        engine.take_weights([(sent[0][0], torch.zeros(3, 2)), *sent[1:]])


def test_the_mode_is_restored_after_an_error(engine: TransformersEngine, prompts: list[Prompt]) -> None:
    def fails(*_: Any) -> None:
        raise DataError("the disk is full")

    engine.model.train()
    with pytest.raises(DataError, match="the disk is full"):
        engine.extend(requests(engine, prompts[:1]), GREEDY, fails)
    assert engine.model.training
    engine.model.eval()


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
                logp, _ = TokenLogProbs(engine.model, temperature)(pack([sample], 400, 0)[0])
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
    assert TransformersEngine(model, tiny.renderer(), 64).ends.tolist() == ends[:1], "the template's"
