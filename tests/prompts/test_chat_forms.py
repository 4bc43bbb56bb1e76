"""Published chat templates: golden texts and token ids, the end of a turn, and that whole rendered
texts are tokenised as transformers itself does it."""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from chat_forms import FORMS, processor
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from stages.data.records import Demonstration
from stages.models.loading import end_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.training.batches import pack
from stages.training.samples import demonstration_samples

ROWS = (Path(__file__).parents[1] / "cases/chat_forms.jsonl").read_text(encoding="utf-8").splitlines()
CASES = [json.loads(row) for row in ROWS]


@cache
def renderer(form: str, system: str | None = None, thinking: bool | None = None, context: int = 4000) -> Renderer:
    return Renderer(processor(form), "", context, system, thinking)


def ids_of(found: Renderer, question: str) -> list[int]:
    (rendered,) = found.render([Prompt(question, None)])
    return list(rendered.token_ids)


def by_transformers(found: Renderer, question: str) -> list[int]:
    """The rendered text as one string, and the token that begins texts where it does not hold it."""
    tokenizer = found.processor.tokenizer
    ids: list[int] = tokenizer(found.template(Prompt(question, None)), add_special_tokens=False)["input_ids"]
    begins = tokenizer("")["input_ids"]
    return ids if ids[: len(begins)] == begins else begins + ids


def test_at_least_eight_forms_are_golden() -> None:
    assert len({case["form"] for case in CASES}) >= 8
    assert {case["form"] for case in CASES} <= FORMS.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['form']}: {case['why']}")
def test_golden(case: dict[str, Any]) -> None:
    found = renderer(case["form"], case["system"], case["thinking"])
    assert found.template(Prompt(case["question"], None)) == case["text"]
    assert ids_of(found, case["question"]) == case["ids"] == by_transformers(found, case["question"])


@pytest.mark.parametrize("form", FORMS)
def test_the_token_that_begins_a_text_stands_there_once(form: str) -> None:
    if FORMS[form].bos is None or form == "smollm2":  # whose <|im_start|> begins each turn
        return
    count = ids_of(renderer(form), "2?").count(renderer(form).processor.tokenizer.bos_token_id)
    assert count == (0 if form == "phi3" else 1)


@pytest.mark.parametrize("form", FORMS)
def test_training_writes_the_templates_end_and_generation_stops_at_all(form: str) -> None:
    found, tokenizer = FORMS[form], renderer(form).processor.tokenizer
    end = renderer(form).turn_end
    assert tokenizer.convert_ids_to_tokens(end) == found.end
    named = tokenizer.convert_tokens_to_ids(list(found.ends))
    model = SimpleNamespace(generation_config=GenerationConfig(eos_token_id=named))
    assert end_ids(model, end)[0] == end
    assert set(end_ids(model, end)) == {end, *named}
    (response,) = renderer(form).responses(["2"])
    assert response[-1] == end
    assert end not in response[:-1]


def test_ends_that_generation_config_lacks() -> None:
    for named, expected in ((None, (7,)), (3, (7, 3)), ([1, 7, 3, 3], (7, 1, 3))):
        assert end_ids(SimpleNamespace(generation_config=GenerationConfig(eos_token_id=named)), 7) == expected


LETTERS = st.text("aes ur\n\t2?é．\u2003<|>/_im", max_size=12)
WORDS = st.sampled_from(["user", "assistant", "<think>", "[INST]", "</", "<|", "\n\n", "<|user", "\ue0001\ue001"])
TEXTS = st.lists(LETTERS | WORDS | st.text(max_size=5), max_size=6).map("".join)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=60, deadline=None)
@given(TEXTS, st.none() | TEXTS)
def test_an_ordinary_text_gives_the_ids_of_the_whole_string(form: str, question: str, system: str | None) -> None:
    found = renderer(form) if form in ("gemma2", "mistral") or system is None else Renderer(processor(form), "", 4000, system)
    if any(name in question + (system or "") for name in (*FORMS[form].specials, *FORMS[form].others)):
        return
    assert ids_of(found, question) == by_transformers(found, question)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(question=TEXTS)
def test_the_template_gets_the_text_as_it_would_by_itself(form: str, question: str) -> None:
    """Whatever it does to a text (Llama and Gemma strip it) it does to the prompt's."""
    turn = [
        {"role": "user", "content": question if form not in ("llava_next", "idefics3") else [{"type": "text", "text": question}]}
    ]
    options = {"date_string": "26 Jul 2024", "tokenize": False, "add_generation_prompt": True}
    assert renderer(form).template(Prompt(question, None)) == processor(form).apply_chat_template(turn, **options)


def llama(form: str) -> LlamaForCausalLM:
    config = LlamaConfig(vocab_size=420, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(eos_token_id=renderer(form).processor.tokenizer.eos_token_id)
    return model


def demonstration(response: str) -> Demonstration:
    problem = made(2)
    return Demonstration(
        id="d", problem_id=problem.id, family=problem.family, question="2?", image=None, verifier="math",
        response=response, response_ids=None, form="long", behaviours={},
    )  # fmt: skip


@pytest.mark.parametrize("form", ["smollm2", "gemma3", "llama3_2", "mistral"])
def test_the_end_carries_loss_also_where_it_pads(form: str) -> None:
    model, found = llama(form), renderer(form)
    samples, _ = demonstration_samples([demonstration("So 2."), demonstration("After a longer while, 2.")], found, model)
    pad = found.processor.tokenizer.pad_token_id
    assert form != "smollm2" or pad == found.turn_end, "the case that this test is for"
    (batch,) = pack(samples, 4000, found.turn_end if pad is None else pad)
    for place, sample in enumerate(samples):
        targets = batch.targets[batch.sample_of_target == place].tolist()
        assert targets == list(sample.response_ids)
        assert targets.count(found.turn_end) == 1
        assert targets[-1] == found.turn_end
    assert torch.isfinite(model(**batch.inputs).logits).all()


def test_a_response_is_read_as_the_template_would_write_it() -> None:
    """The ids of prompt and response together are those of the whole conversation."""
    for form in ("llava_next", "idefics3", "smollm2", "llama3_2", "gemma3", "mistral", "phi3", "zephyr"):
        found = renderer(form)
        plain = form not in ("llava_next", "idefics3")
        turns = [
            (role, text if plain else [{"type": "text", "text": text}]) for role, text in (("user", "2?"), ("assistant", "So 2."))
        ]
        messages = [{"role": role, "content": content} for role, content in turns]
        text = found.processor.apply_chat_template(messages, tokenize=False, date_string="26 Jul 2024")
        whole = found.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        begins = found.processor.tokenizer("")["input_ids"]
        whole = whole if whole[: len(begins)] == begins else begins + whole
        ours = ids_of(found, "2?") + list(found.responses(["So 2."])[0])
        assert ours == whole[: len(ours)], form
