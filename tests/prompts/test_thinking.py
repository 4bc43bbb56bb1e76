"""The thinking part: switched by the template, opened by it, kept in training, no answer without its end."""

import pytest
from chat_forms import processor

from stages.data.files import DataError
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.verifiers.boxes import boxed_answer, final_part
from stages.verifiers.verdict import verify

R1 = Renderer(processor("deepseek_r1_distill"), "", 4000)


def text_of(found: Renderer, response: str) -> str:
    (ids,) = found.responses([response])
    return str(found.processor.tokenizer.decode(list(ids)))


def test_the_switch_of_a_template() -> None:
    ends = {
        thinking: Renderer(processor("qwen3"), "", 4000, thinking=thinking)
        .template(Prompt("2?", None))
        .rpartition("assistant\n")[2]
        for thinking in (None, True, False)
    }
    assert ends == {None: "", True: "", False: "<think>\n\n</think>\n\n"}


def test_a_switch_that_does_nothing_is_refused() -> None:
    for form in ("qwen2_5", "deepseek_r1_distill"):
        with pytest.raises(DataError, match=r"has no switch for thinking; set model.thinking to null"):
            Renderer(processor(form), "", 4000, thinking=True).template(Prompt("2?", None))


@pytest.mark.parametrize(
    "response, followed",
    [
        ("<think>\nOne.\n</think>\n\nTwo.", "One.\n</think>\n\nTwo."),
        ("\n<think>One.</think>Two.", "One.</think>Two."),
        ("One.</think>Two.", "One.</think>Two."),
        ("<think>One", "One"),
        ("Two.", "</think>\n\nTwo."),
        ("What <think> means.", "</think>\n\nWhat <think> means."),
    ],
)
def test_a_response_goes_on_where_the_template_has_opened_its_thought(response: str, followed: str) -> None:
    assert R1.template(Prompt("2?", None)).endswith("<think>\n")
    assert text_of(R1, response) == f"{followed}<｜end▁of▁sentence｜>"


@pytest.mark.parametrize("response", ["<think>\nOne.\n</think>\n\nTwo.", "Two.", "One.</think>Two."])
def test_other_templates_leave_it_to_the_response(response: str) -> None:
    for thinking in (None, False):
        assert text_of(Renderer(processor("qwen3"), "", 4000, thinking=thinking), response) == f"{response}<|im_end|>"


def test_a_written_response_comes_back_with_its_tag() -> None:
    """So that warm-up's own samples can be trained on as texts."""
    for response in ("<think>\nOne.\n</think>\n\nTwo.", "<think>\nOne"):
        (ids,) = R1.responses([response])
        assert R1.response_text(ids, {R1.turn_end}) == response
    assert Renderer(processor("qwen3"), "", 4000).response_text([], set()) == ""


@pytest.mark.parametrize(
    "drawn, answer",
    [
        ("It is \\boxed{7}.", None),
        ("It is \\boxed{7}.</think>It is \\boxed{3}.", "3"),
        ("It is \\boxed{7}.</think>It is unknown.", None),
        ("</think>\\boxed{3}", "3"),
    ],
)
def test_a_box_in_a_thought_that_the_prompt_opened_is_no_answer(drawn: str, answer: str | None) -> None:
    ids = R1.processor.tokenizer(drawn, add_special_tokens=False)["input_ids"]
    text = R1.response_text([*ids, R1.turn_end], {R1.turn_end})
    assert boxed_answer(text) == answer
    assert (verify("integer", "3", text).outcome == "right") == (answer == "3")
    assert verify("integer", "7", text).outcome == "wrong"


@pytest.mark.parametrize(
    "response, part",
    [
        ("<think>3", ""),
        (" \n<think>\\boxed{3}", ""),
        ("<think>", ""),
        ("<think></think>3", "3"),
        ("The tag <think> is no thought: 3", "The tag <think> is no thought: 3"),
        ("<thinking>3", "<thinking>3"),
        ("3", "3"),
        ("", ""),
    ],
)
def test_a_thought_without_an_end_holds_no_answer(response: str, part: str) -> None:
    assert final_part(response) == part


@pytest.mark.parametrize("form, before", [("deepseek_r1_distill", "</think>\n\n"), ("qwen3", ""), ("gemma3", "")])
def test_a_begun_response_stands_behind_the_opened_turn(form: str, before: str) -> None:
    """Where the template opens the thinking part, that is closed first, so that the answer is bare."""
    renderer = Renderer(processor(form), "", 4096)
    plain, begun = (Prompt("2?", None, "", response) for response in ("", "\\boxed"))
    assert renderer.template(begun) == f"{renderer.template(plain)}{before}\\boxed"
    ids = [tuple(found.token_ids) for found in renderer.render([plain, begun])]
    assert ids[1][: len(ids[0])] == ids[0]
    assert str(renderer.processor.tokenizer.decode(list(ids[1]))).endswith(f"{before}\\boxed")
