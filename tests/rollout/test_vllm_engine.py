"""The vLLM engine, run for real by vLLM's CPU build: against the trainer, against the embedded engine, and after pushes of weights.

Skipped where vLLM is not installed (the project's own environment); `make test-vllm` makes an environment in which it is."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from tiny import CPU, INSTRUCTION, ROOT, Tiny, hardware

from stages.data.files import DataError, write_records
from stages.models.loading import load_model, load_processor
from stages.models.positions import position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer
from stages.rollout import vllm_start
from stages.rollout.engine import Piece, Repetition, Request, Sampling
from stages.rollout.golden import Golden
from stages.rollout.repetition import repeated_tail
from stages.rollout.transformers_engine import TransformersEngine
from stages.rollout.vllm_engine import VLLMEngine
from stages.rollout.vllm_start import start_vllm
from stages.training.batches import TrainingSample, pack
from stages.training.log_probs import TokenLogProbs

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed here; make test-vllm runs these"),
    pytest.mark.filterwarnings("default"),  # vLLM's own
]
CONTEXT = 640
TOLERANCE = 2e-4  # float32: vLLM's paged attention against one forward of packed rows; measured: below 2e-5
HARDWARE = hardware(device="cpu", engine="vllm", vllm={"tensor_parallel": 1, "memory_share": 0.2}, generation_batch=16)
HOT = Sampling(temperature=1.0, top_p=1.0, max_tokens=24, seed=5)
GREEDY = replace(HOT, temperature=0)


class Setup:
    """A checkpoint of an architecture that vLLM runs without torchvision, the trainer's model of it, and both engines."""

    def __init__(self, folder: Path, tiny: Tiny) -> None:
        texts = [f"{problem.question}\n{problem.solution_long}" for problem in tiny.problems]
        architectures.save("idefics3", texts, folder, hidden_size=64)  # vLLM's CPU kernels want heads of 32 or more
        self.folder = folder
        self.model = load_model(folder, CPU)
        with torch.no_grad():  # so that responses end at different places
            self.model.lm_head.weight[self.model.generation_config.eos_token_id] *= 1.5
        self.model.save_pretrained(folder)
        self.renderer = Renderer(load_processor(folder), INSTRUCTION, CONTEXT)
        self.embedded = TransformersEngine(self.model, self.renderer, 16)
        with pytest.MonkeyPatch.context() as changed:  # so little that prompts are read in parts and responses are preempted
            changed.setattr(vllm_start, "TOKENS_AT_ONCE", 1)
            started = start_vllm(folder, self.model, self.renderer, HARDWARE, cache_bytes=1 << 20)
        self.engine = VLLMEngine(started, self.renderer, None)
        self.prompts = [Prompt(problem.question, problem.image) for problem in tiny.problems[::3]]
        self.demonstrations = tiny.demonstrations()[::6]
        self.pictures = [str(problem.image) for problem in tiny.problems if problem.image]

    def requests(self, budget: int = 24, limit: int = 24, count: int = 1) -> list[Request]:
        seen = self.renderer.render(self.prompts)
        return [
            Request(prompt, rendered, (), budget, limit, 100 * place + member)
            for place, (prompt, rendered) in enumerate(zip(self.prompts, seen, strict=True))
            for member in range(count)
        ]

    def trainer(self, prompt: Rendered, response: tuple[int, ...], temperature: float = 1.0) -> list[float]:
        sample = TrainingSample(prompt, response, position_ids(self.model, prompt, len(response)))
        with torch.no_grad():
            return TokenLogProbs(self.model, temperature)(pack([sample], CONTEXT, 0)[0])[0].tolist()


@pytest.fixture(scope="module")
def setup(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return Setup(tmp_path_factory.mktemp("idefics3"), tiny)


@pytest.fixture
def trained(setup: Setup) -> Iterator[Setup]:
    """The trainer's model may change in a test; afterwards both have the first weights again."""
    first = {name: value.detach().clone() for name, value in setup.model.named_parameters()}
    yield setup
    setup.model.load_state_dict(first, strict=False)
    setup.engine.golden = None
    setup.engine.take_weights(setup.model.named_parameters())


def shift(model: Any, amount: float) -> None:
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for value in model.parameters():
            value += amount * torch.randn(value.shape, generator=generator)


def gap(setup: Setup, requests: Sequence[Request], pieces: Sequence[Piece], temperature: float = 1.0) -> float:
    """Largest difference of a log-probability from the trainer's."""
    return max(
        abs(a - b)
        for request, piece in zip(requests, pieces, strict=True)
        for a, b in zip(
            piece.logprobs,
            setup.trainer(request.rendered, (*request.start, *piece.token_ids), temperature)[len(request.start) :],
            strict=True,
        )
    )


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 0.9)])
def test_log_probs_equal_the_trainers(setup: Setup, temperature: float, top_p: float) -> None:
    """At the sampling temperature, before top-p and before tokens are banned; text and pictures."""
    requests = setup.requests(count=2)
    pieces = setup.engine.extend(requests, replace(HOT, temperature=temperature, top_p=top_p))
    assert {bool(request.prompt.images) for request in requests} == {True, False}
    assert gap(setup, requests, pieces, temperature) < TOLERANCE
    assert {piece.finish for piece in pieces} == {"stop", "length"}


@pytest.mark.parametrize("sampling", [GREEDY, HOT, replace(HOT, temperature=0.7, top_p=0.8)], ids=["greedy", "hot", "top-p"])
def test_the_same_tokens_as_the_embedded_engine(setup: Setup, sampling: Sampling) -> None:
    """Both draw by the same function from the same stream of each response; only rounding could part them."""
    requests = setup.requests(count=2)
    ours, theirs = setup.engine.extend(requests, sampling), setup.embedded.extend(requests, sampling)
    equal = [a.token_ids == b.token_ids and a.finish == b.finish for a, b in zip(ours, theirs, strict=True)]
    assert sum(equal) >= 0.9 * len(equal)
    for a, b in zip(ours, theirs, strict=True):
        place = next((i for i, (x, y) in enumerate(zip(a.token_ids, b.token_ids, strict=False)) if x != y), None)
        if sampling.temperature == 0 and place is not None:  # a near-tie
            assert a.logprobs[place] == pytest.approx(b.logprobs[place], abs=TOLERANCE)


def test_neighbours_and_order_change_nothing(setup: Setup) -> None:
    requests = setup.requests(count=3)
    together = setup.engine.extend(requests, HOT)
    torch.manual_seed(99)
    assert [piece.token_ids for piece in setup.engine.extend(requests[::-1], HOT)[::-1]] == [p.token_ids for p in together]
    assert setup.engine.extend(requests[4:5], HOT)[0].token_ids == together[4].token_ids
    assert len({piece.token_ids for piece in together}) > 0.8 * len(together), "samples of a prompt differ"


def test_prompts_read_in_parts_and_preempted_responses_draw_the_same(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler, runner = setup.engine.started.llm.llm_engine.engine_core.engine_core.scheduler, setup.engine.started.runner
    preempted, parts = [], []
    preempt, sample = scheduler._preempt_request, runner.sampler.forward
    monkeypatch.setattr(scheduler, "_preempt_request", lambda *a, **b: (preempted.append(1), preempt(*a, **b))[1])
    monkeypatch.setattr(
        runner.sampler, "forward", lambda **given: (parts.append(runner.discard_request_mask.np[:16].any()), sample(**given))[1]
    )
    requests = setup.requests(budget=150, limit=150, count=4)
    ours = setup.engine.extend(requests, HOT)
    assert preempted
    assert any(parts)
    assert gap(setup, requests, ours) < TOLERANCE
    alone = [setup.engine.extend([request], HOT)[0] for request in requests[::5]]
    assert [piece.token_ids for piece in alone] == [piece.token_ids for piece in ours[::5]]


def test_cut_at_the_budget_and_continued_as_if_never_cut(setup: Setup) -> None:
    requests = setup.requests()
    whole = setup.engine.extend(requests, HOT)
    first = setup.engine.extend([replace(request, budget=7) for request in requests], HOT)
    open_ = [place for place, piece in enumerate(first) if piece.finish == "cut"]
    assert open_
    assert all(len(first[place].token_ids) == 7 for place in open_)
    rest = [replace(requests[place], start=first[place].token_ids, limit=17) for place in open_]
    for place, piece in zip(open_, setup.engine.extend(rest, HOT), strict=True):
        assert first[place].token_ids + piece.token_ids == whole[place].token_ids
        assert first[place].logprobs + piece.logprobs == pytest.approx(whole[place].logprobs, abs=TOLERANCE)
        assert piece.finish == whole[place].finish
    closed = [place for place in range(len(first)) if place not in open_]
    assert all(first[place] == whole[place] or first[place].token_ids == whole[place].token_ids for place in closed)


def test_limits_and_requests_without_room(setup: Setup) -> None:
    (request,) = setup.requests()[:1]
    full = replace(request, start=(70,) * (CONTEXT - len(request.rendered.token_ids) - 2), budget=9, limit=9)
    (piece,) = setup.engine.extend([full], replace(HOT, seed=1))
    assert len(piece.token_ids) <= 2
    assert piece.finish in ("length", "stop")
    with pytest.raises(DataError, match="nothing can be added"):
        setup.engine.extend([replace(full, start=(*full.start, 70, 70))], HOT)
    assert setup.engine.extend([], HOT) == []


def test_repetition_ends_a_response_at_once(setup: Setup) -> None:
    """Exactly where the definition first holds, by a rule so strict that a random model breaks it now and then."""
    rule = Repetition(max_period=8, repeats=2, min_tokens=2, distinct=1)
    requests = setup.requests(budget=80, limit=80, count=4)
    free = setup.engine.extend(requests, HOT)
    found = setup.engine.extend(requests, replace(HOT, repetition=rule))
    ends = [next((n for n in range(1, len(p.token_ids) + 1) if repeated_tail(p.token_ids[:n], rule)), None) for p in free]
    assert any(end is not None and end < 80 for end in ends)
    for piece, whole, end in zip(found, free, ends, strict=True):
        assert piece.token_ids == whole.token_ids[:end]
        stopped = whole.finish == "stop" and end == len(whole.token_ids)
        assert piece.finish == (whole.finish if end is None or stopped else "repeat")


def test_each_end_is_told_at_once(setup: Setup) -> None:
    requests = setup.requests(count=2)
    told: list[tuple[int, Piece]] = []
    pieces = setup.engine.extend(requests, HOT, lambda index, piece: told.append((index, piece)))
    assert dict(told) == dict(enumerate(pieces))
    assert [index for index, _ in told] != list(range(len(requests))), "in the order of their ends"
    lengths = [len(piece.token_ids) for _, piece in told]
    assert lengths[0] < max(lengths)


def test_special_and_picture_tokens_are_never_drawn(setup: Setup) -> None:
    pieces = setup.engine.extend(setup.requests(count=8), replace(HOT, temperature=50.0))
    drawn = {token for piece in pieces for token in piece.token_ids}
    assert set(setup.engine.started.banned) == set(setup.embedded.banned.tolist())
    assert setup.model.config.image_token_id in setup.engine.started.banned
    assert not drawn & set(setup.engine.started.banned)
    assert len(drawn) > 200, "nearly everything else is"


def test_several_pictures_each_in_its_place(setup: Setup) -> None:
    a, b = setup.pictures[0], setup.pictures[4]
    prompts = [Prompt("<image 1> or <image 2>?", (a, b)), Prompt("<image 1> or <image 2>?", (b, a)), Prompt("No.", (a, b))]
    seen = setup.renderer.render(prompts)
    requests = [Request(prompt, rendered, (), 12, 12, 3) for prompt, rendered in zip(prompts, seen, strict=True)]
    pieces = setup.engine.extend(requests, HOT)
    assert gap(setup, requests, pieces) < TOLERANCE
    assert pieces[0].logprobs != pieces[1].logprobs


def test_a_prompt_that_vllm_reads_otherwise_is_refused(setup: Setup) -> None:
    """And leaves nothing behind."""
    requests = setup.requests()
    place = next(place for place, request in enumerate(requests) if request.prompt.images)
    ids = requests[place].rendered.token_ids
    wrong = replace(requests[place], rendered=replace(requests[place].rendered, token_ids=(*ids[:5], *ids[6:])))
    with pytest.raises(DataError, match="differ from place 5 on"):
        setup.engine.extend([*requests[:place], wrong, *requests[place + 1 :]], HOT)
    assert not setup.engine.started.llm.llm_engine.has_unfinished_requests()
    assert gap(setup, requests, setup.engine.extend(requests, HOT)) < TOLERANCE


def test_generate_answers_prompts(setup: Setup) -> None:
    groups = setup.engine.generate(setup.prompts, HOT, samples=2)
    theirs = setup.embedded.generate(setup.prompts, GREEDY)
    ours = setup.engine.generate(setup.prompts, GREEDY)
    assert [len(group) for group in groups] == [2] * len(setup.prompts)
    assert [group[0].prompt_tokens for group in ours] == [group[0].prompt_tokens for group in theirs]
    assert sum(a[0].text == b[0].text for a, b in zip(ours, theirs, strict=True)) >= 0.9 * len(ours)


def test_pushed_weights_are_what_it_generates_with(trained: Setup) -> None:
    """In place: the same prompts, whose prefixes and pictures were cached, are read anew."""
    setup, requests = trained, trained.requests()
    before = setup.engine.extend(requests, HOT)
    places = {name: value.data_ptr() for name, value in setup.engine.started.parameters().items()}
    shift(setup.model, 0.05)
    setup.engine.take_weights(setup.model.named_parameters())
    after = setup.engine.extend(requests, HOT)
    assert places == {name: value.data_ptr() for name, value in setup.engine.started.parameters().items()}
    assert all(a.logprobs != b.logprobs for a, b in zip(before, after, strict=True))
    assert gap(setup, requests, after) < TOLERANCE
    assert gap(setup, requests, before) > 100 * TOLERANCE


def test_vision_weights_alone_reach_the_pictures(trained: Setup) -> None:
    setup, requests = trained, [request for request in trained.requests() if request.prompt.images]
    before = setup.engine.extend(requests, HOT)
    shift(setup.model.model.vision_model, 0.2)
    setup.engine.take_weights(setup.model.named_parameters())
    after = setup.engine.extend(requests, HOT)
    assert all(a.logprobs != b.logprobs for a, b in zip(before, after, strict=True))
    assert gap(setup, requests, after) < TOLERANCE


@pytest.mark.parametrize("name", ["self_attn.qkv_proj.weight", "embed_tokens.weight", "vision_model.post_layernorm.bias"])
def test_a_corrupted_push_is_detected(trained: Setup, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """One value of one tensor; the engine refuses to generate until a push goes well."""
    setup, started = trained, trained.engine.started
    good = started.load

    def bad(weights: Any) -> None:
        good(weights)
        with torch.no_grad():
            next(value for key, value in started.parameters().items() if key.endswith(name)).view(-1)[3] += 1e-3

    monkeypatch.setattr(started, "load", bad)
    with pytest.raises(DataError, match="is not what was sent"):
        setup.engine.take_weights(setup.model.named_parameters())
    with pytest.raises(DataError, match="not whole"):
        setup.engine.extend(setup.requests(), HOT)
    monkeypatch.undo()
    setup.engine.take_weights(setup.model.named_parameters())
    assert setup.engine.extend(setup.requests(), HOT)


def test_a_push_that_lacks_or_invents_a_weight_is_refused(trained: Setup) -> None:
    named = list(trained.model.named_parameters())
    for weights, why in (
        (named[:-1], "got no weights"),
        ([*named, named[0]], "arrived twice"),
        ([*named, ("model.text_model.layers.9.mlp.gate_proj.weight", named[0][1])], "has no model.text_model.layers.9"),
    ):
        with pytest.raises(DataError, match=why):
            trained.engine.take_weights(weights)


def golden(setup: Setup, off: float = 0.0) -> Golden:
    picture = Prompt("What is it?", setup.pictures[0])
    return Golden(
        (Prompt("What is 12 + 30?", None), picture),
        0.8,
        lambda prompt, ids: [value + off for value in setup.trainer(prompt, ids, 0.8)],
        1e-3,
    )


def test_golden_prompts_are_judged_by_the_trainer(trained: Setup) -> None:
    setup = trained
    setup.engine.golden = golden(setup)
    setup.engine.take_weights(setup.model.named_parameters())
    first = setup.engine.answers
    shift(setup.model, 0.05)
    setup.engine.take_weights(setup.model.named_parameters())
    assert [piece.logprobs for piece in first] != [piece.logprobs for piece in setup.engine.answers]
    setup.engine.golden = golden(setup, off=0.01)
    with pytest.raises(DataError, match="nats from the trainer's"):
        setup.engine.take_weights(setup.model.named_parameters())
    with pytest.raises(DataError, match="not whole"):
        setup.engine.extend(setup.requests(), HOT)


def test_an_engine_that_answers_by_old_weights_is_found_out(trained: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = trained
    setup.engine.golden = replace(golden(setup), tolerance=100.0)
    setup.engine.take_weights(setup.model.named_parameters())
    monkeypatch.setattr(setup.engine, "extend", lambda *_: setup.engine.answers)
    setup.engine.take_weights(setup.model.named_parameters())
    shift(setup.model, 0.05)
    with pytest.raises(DataError, match="copy of the old weights"):
        setup.engine.take_weights(setup.model.named_parameters())


@pytest.mark.parametrize("tensor_parallel", [1, 2])
def test_two_ranks(setup: Setup, tmp_path: Path, tensor_parallel: int) -> None:
    """As RL runs it, with a trainer under ZeRO-3 in the same processes; vLLM with a model each, and with half a model each (of 2
    heads of queries and 1 of keys and values, which both hold). Each rank gets its own responses, the same as by the embedded
    engine, before and after a step and a push, and where one rank has nothing to ask."""
    shown = tmp_path / "demonstrations.jsonl"
    write_records(shown, setup.demonstrations)
    results = by_two_ranks("vllm_ranks.py", tmp_path, str(setup.folder), str(shown), str(tensor_parallel))
    assert [found["share"] for found in results] == ([[0, 1], [0, 1]] if tensor_parallel == 1 else [[0, 2], [1, 2]])
    assert all(gap < TOLERANCE for found in results for gap in found["gaps"]), results
    assert len(results[1]["changed"]) > 2
    assert all(results[1]["changed"])


def test_two_ranks_that_ask_a_checkpoint(setup: Setup, tmp_path: Path) -> None:
    """As evaluate runs it: one rank asks twice as often as the other and stays longer; both answer like the embedded engine."""
    (tmp_path / "prompts.json").write_text(json.dumps([[prompt.question, prompt.image] for prompt in setup.prompts]))
    expected = setup.embedded.generate(setup.prompts, replace(GREEDY, max_tokens=12))
    found = by_two_ranks("vllm_asking.py", tmp_path, str(setup.folder), str(tmp_path))
    assert len(found[1]) > len(found[0]) > 1
    for answers in found:
        for place, group in answers:
            assert group == [list(expected[place][0].token_ids)] * 2


def by_two_ranks(program: str, folder: Path, *arguments: str) -> list[Any]:
    """What `program`, run on two ranks, left in `folder`/<rank>.json."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    shared = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "PYTHONPATH": f"{ROOT}:{ROOT}/tests",
    }
    command = [sys.executable, f"{ROOT}/tests/rollout/{program}", *arguments]
    ranks = []
    for rank in range(2):
        with (folder / f"{rank}.log").open("w") as log:
            environment = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            ranks.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    try:
        codes = [process.wait(timeout=400) for process in ranks]
    finally:
        for process in ranks:
            process.kill()
            process.wait()
    logs = [(folder / f"{rank}.log").read_text() for rank in range(2)]
    assert codes == [0, 0], logs[codes.index(max(codes))][-3000:]
    assert [log for log in logs if "Traceback" in log] == [], "vLLM is ended before the process group that it needs for that"
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_sleeping_does_nothing_on_the_cpu(setup: Setup) -> None:
    requests = setup.requests()
    before = setup.engine.extend(requests, HOT)
    setup.engine.sleep()
    setup.engine.wake()
    assert [piece.token_ids for piece in setup.engine.extend(requests, HOT)] == [piece.token_ids for piece in before]


def test_an_architecture_that_vllm_cannot_run_is_refused(tiny: Tiny) -> None:
    """The scratch model has a processor of its own."""
    with pytest.raises(DataError, match=r"cannot run it .*hardware.engine=transformers"):
        start_vllm(tiny.folder, tiny.model(), tiny.renderer(), HARDWARE, cache_bytes=1 << 20)
