"""Templates that cannot be used: each error names the checkpoint and says what to set."""

from pathlib import Path
from typing import Any

import pytest
from chat_forms import FORMS, TextOnly, processor, template, tokenizer
from tiny import Tiny, params

from stages.data.files import DataError
from stages.models.adoption import adopt, adopted_processor
from stages.models.loading import load_processor
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.prompts.template import ChatTemplate, split, use_template
from stages.run.params import Model, ParamsError, parsed

CHATML = template("smollm2")
SAYS = "set model.chat_template to a Jinja file"


def renderer(text: str | None, form: str = "qwen2_5", system: str | None = None) -> Renderer:
    made = tokenizer(FORMS[form], text)
    made.name_or_path = "models/mine"
    return Renderer(TextOnly(made), "", 4000, system)


def model(source: str, **changed: Any) -> Model:
    fields = {"revision": None, "context": 320, "instruction": "", "system": None, "thinking": None, "chat_template": None}
    return Model(source=source, **{**fields, **changed})


WITHOUT_PROMPT = CHATML.partition("{% if add_generation_prompt %}")[0]
WITHOUT_END = CHATML.replace("<|im_end|>", "###")
PARTS = "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}<|im_end|>{% endfor %}"


@pytest.mark.parametrize(
    "text, says",
    [
        (None, r"is missing \(a base model\?\); set model.chat_template to a Jinja file with one"),
        ("", r"is missing \(a base model\?\)"),
        (WITHOUT_PROMPT, rf"has no generation prompt: '<\|im_start\|>assistant\\n' stands before an answer, .*{SAYS} that does"),
        (WITHOUT_END, rf"ends an answer with '###\\n', which begins with no token of its own, .*{SAYS} that writes one"),
        (PARTS.replace("<|im_end|>", ""), "ends an answer with '', which begins with no token"),
        ("{% for m in messages %}{{ m.content }", rf"does not write a turn of the user \(TemplateSyntaxError: .*{SAYS}"),
        ("{{ raise_exception('Not today') }}", "does not write a turn of the user .*Not today"),
        ("{{ messages[0].content.nothing.at_all }}", "does not write a turn of the user .*UndefinedError"),
        ("{{ 1 // 0 }}", "does not write a turn of the user .*ZeroDivisionError"),
        ("{{ messages[0].content + 1 }}", "does not write a turn of the user .*TypeError"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "does not write a turn of the user .*RecursionError"),
        ("{{ messages[0].content.__class__.__mro__ }}", "does not write a turn of the user"),
        ("Hello.", r"does not write a turn of the user \(its text is left out\)"),
        (
            "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
            "does not write a turn of the assistant",
        ),
    ],
)
def test_what_is_wrong_is_said(text: str | None, says: str) -> None:
    with pytest.raises(DataError, match=f"the chat template of models/mine (?:{says})"):
        renderer(text).check()


def test_content_is_a_string_or_parts_by_what_the_template_takes() -> None:
    found = renderer(PARTS)
    assert found.template(Prompt("2?", None)) == "2?<|im_end|>"
    found.check()
    printed = renderer("{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}")
    assert printed.template(Prompt("2?", None)) == "2?<|im_end|>"


def test_a_list_printed_as_it_is_is_not_taken() -> None:
    refused = "{% if m.content is string %}{{ raise_exception('A string.') }}{% endif %}"
    text = f"{{% for m in messages %}}{refused}{{{{ m.content }}}}{{% endfor %}}"
    with pytest.raises(DataError, match=r"does not write a turn of the user .*A string"):
        renderer(text).check()


@pytest.mark.parametrize("form, reason", [("gemma2", "System role not supported"), ("mistral", "roles must alternate")])
def test_a_system_turn_that_a_template_refuses(form: str, reason: str) -> None:
    with pytest.raises(DataError, match=f"does not write a turn of the system .*{reason}.*set model.system to null"):
        Renderer(processor(form), "", 400, "Be brief.").check()
    Renderer(processor(form), "", 400).check()


def test_a_system_turn_that_a_template_drops() -> None:
    start = CHATML.index("{{'<|im_start|>' + message['role']")
    end = CHATML.index("{% endfor %}")
    dropping = f"{CHATML[:start]}{{% if message['role'] != 'system' %}}{CHATML[start:end]}{{% endif %}}{CHATML[end:]}"
    renderer(dropping).check()
    with pytest.raises(DataError, match=r"does not write a turn of the system \(its text is left out\); set model.system to null"):
        renderer(dropping, system="Be brief.").check()


def test_a_template_without_a_place_for_pictures(tiny: Tiny, tmp_path: Path) -> None:
    made = load_processor(tiny.folder)
    last = "{% if m.content is string %}{{ m.content }}{% else %}{{ m.content[-1].text }}{% endif %}"
    text = f"{{% for m in messages %}}{last}<|im_end|>{{% endfor %}}"
    made.chat_template = made.tokenizer.chat_template = text
    Renderer(made, "", 400).check()
    made.chat_template = made.tokenizer.chat_template = CHATML
    with pytest.raises(DataError, match=r"takes no picture \(TypeError.*; leave out pictures, or set model.chat_template"):
        Renderer(made, "Say.", 400).blank()
    made.chat_template = made.tokenizer.chat_template = text
    with pytest.raises(DataError, match=r"has no place for a picture; leave out pictures, or set model.chat_template"):
        Renderer(made, "Say.", 400).render([Prompt("2?", str(tmp_path / "red.png"))])


@pytest.mark.parametrize(
    "asked, written",
    [("%Y-%m-%d", "2024-07-26"), ("%d %B %Y", "26 July 2024"), ("%d %b %Y", "26 Jul 2024"), ("%c", "26 Jul 2024")],
)
def test_the_date_of_today_is_in_no_prompt(asked: str, written: str) -> None:
    """Mistral Small, SmolLM3 and Llama 3.2 write it; what stands first in a template stays as it is."""
    assert "Today Date: 26 Jul 2024\n" in Renderer(processor("llama3_2"), "", 400).template(Prompt("2?", None))
    dated = f"\n {{{{ strftime_now('{asked}') }}}}!\n{CHATML}"
    assert renderer(dated).template(Prompt("2?", None)).startswith(f"\n {written}!\n<|im_start|>system")


@pytest.mark.parametrize(
    "text, parts",
    [
        ("", ("", "", "")),
        (" \n", (" \n", "", "")),
        (" a b\t", (" ", "a b", "\t")),
        ("\u2003a", ("\u2003", "a", "")),
        ("a", ("", "a", "")),
    ],
)
def test_white_space_around_a_text(text: str, parts: tuple[str, str, str]) -> None:
    assert split(text) == parts
    assert "".join(parts) == text


def test_each_shape_of_a_turn_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found, calls = renderer(CHATML), 0
    whole = ChatTemplate._turns

    def counted(*arguments: Any) -> str:
        nonlocal calls
        calls += 1
        return whole(*arguments)

    monkeypatch.setattr(ChatTemplate, "_turns", counted)
    found.render([Prompt(f"{number}?", None) for number in range(3)])
    first = calls
    found.render([Prompt(f"{number}?", None) for number in range(300)])
    assert calls == first


def test_another_template_is_in_the_saved_checkpoint(tiny: Tiny, tmp_path: Path) -> None:
    """`base` writes it into the folder, from which all other stages read it."""
    other = tmp_path / "other.jinja"
    other.write_text(template("qwen2_5_vl").replace("You are a helpful", "You are a tiny"))
    adopt(model(str(tiny.folder), chat_template=str(other)), tmp_path / "base")
    found = Renderer(load_processor(tmp_path / "base"), "", 400)
    assert found.template(Prompt("2?", None)).startswith("<|im_start|>system\nYou are a tiny assistant.")
    assert found.blank().pixels


def test_a_template_that_later_stages_could_not_use_is_refused_first(tiny: Tiny, tmp_path: Path) -> None:
    other = tmp_path / "other.jinja"
    other.write_text(WITHOUT_END)
    with pytest.raises(DataError, match="ends an answer with '###"):
        adopted_processor(model(str(tiny.folder), chat_template=str(other)))
    with pytest.raises(DataError, match=r"model.chat_template: .*nowhere.jinja cannot be read .* correct the path"):
        adopted_processor(model(str(tiny.folder), chat_template=str(tmp_path / "nowhere.jinja")))
    other.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read"):
        use_template(load_processor(tiny.folder), other)


@pytest.mark.parametrize("name, value", [("model__chat_template", "a.jinja"), ("model__thinking", True)])
def test_the_tiny_model_has_a_template_of_its_own(name: str, value: object) -> None:
    with pytest.raises(ParamsError, match="source scratch has a chat template of its own"):
        parsed(params(**{name: value}))
    parsed(params(model__system="Be brief."))


def test_a_renderer_is_as_params_yaml_says() -> None:
    wanted = model("scratch", instruction="Say.", system="Be brief.")
    found = Renderer.of(processor("smollm2"), wanted)
    assert "system\nBe brief.<|im_end|>" in found.template(Prompt("2?", None))
    assert "user\n2?\nSay.<|im_end|>" in found.template(Prompt("2?", None))
    assert (found.context, Renderer.of(processor("smollm2"), wanted, 7).context) == (320, 7)
    thinking = Renderer.of(processor("qwen3"), wanted.model_copy(update={"thinking": False}))
    assert thinking.template(Prompt("2?", None)).endswith("</think>\n\n")
