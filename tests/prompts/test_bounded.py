"""Chat templates that loop, grow or fail: ended in their own process, the same text as transformers' otherwise."""

import os
import threading
import time
from typing import Any

import jinja2
import psutil
import pytest
from transformers.utils import chat_template_utils

from stages.data.files import DataError
from stages.prompts import bounded as module
from stages.prompts.bounded import bounded
from stages.prompts.template import ChatTemplate, ChatTemplateError
from tests.chat_forms import processor

LOOPS = {
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "on one input only": "{% if add_generation_prompt %}{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
    "{% endfor %}{% endif %}{{ messages[0].content }}",
    "in a condition": "{% for a in range(99999) if range(99999) | sum %}{% endfor %}",
    "a filter": "{% for a in range(99999) %}{% if range(99999) | list | join | length %}{% endif %}{% endfor %}",
    "a number": "{{ (7 ** 99999) ** 999 }}",
}
GROWTH = {
    "doubling": "{% set n = namespace(s='x' * 999) %}{% for a in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
    "a product": "{{ 'x' * 10 ** 11 }}",
    "a list": "{{ ([1] * 10 ** 10) | length }}",
    "a width": "{{ '%9999999999d' % 1 }}",
    "a format": "{{ '{:9999999999}'.format(1) }}",
    "centred": "{{ 'a' | center(10 ** 10) }}",
    "output": "{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}",
    "deep": "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
}


def chat(template: str) -> ChatTemplate:
    made = processor("smollm2")
    made.tokenizer.chat_template = template
    return ChatTemplate(made, None, None)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Children of this module have one second of CPU time and little memory."""
    monkeypatch.setattr(module, "SECONDS", 1)
    monkeypatch.setattr(module, "MEMORY", 256 << 20)
    monkeypatch.setattr(module, "MOST", 1 << 20)
    stop()
    yield
    stop()


def stop() -> None:
    for child in module._children.values():
        child.kill()
    module._children.clear()


@pytest.mark.parametrize("template", LOOPS.values(), ids=LOOPS)
def test_a_template_that_does_not_end_is_ended(template: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ChatTemplateError, match=r"its rendering was ended: more than 1 s of CPU time"):
        chat(template)._write([{"role": "user", "content": "x"}], True, {})
    assert time.monotonic() - begun < 12


@pytest.mark.parametrize("template", GROWTH.values(), ids=GROWTH)
def test_a_template_that_grows_is_an_error(template: str) -> None:
    ours = psutil.Process().memory_info().rss
    with pytest.raises(ChatTemplateError, match=r"MemoryError|memory|writes \d+ characters|recursion|OverflowError|was ended"):
        chat(template)._write([{"role": "user", "content": "x"}], True, {})
    assert psutil.Process().memory_info().rss - ours < 64 << 20


def test_a_prompt_of_such_a_template_is_one_clear_error() -> None:
    with pytest.raises(DataError, match=r"template of .* \(TemplateError: its rendering was ended.*set model.chat_template"):
        chat(LOOPS["on one input only"]).prompt((("", True, ""),))


def test_the_next_template_is_rendered_again() -> None:
    made = chat(LOOPS["nested loops"])
    with pytest.raises(ChatTemplateError):
        made._write([{"role": "user", "content": "x"}], True, {})
    assert chat("{{ messages[0].content }}")._write([{"role": "user", "content": "x"}], True, {}) == "x"


@pytest.mark.parametrize(
    ("template", "kind", "words"),
    [
        ("{{ 1", jinja2.TemplateSyntaxError, "unexpected end of template"),
        ("{{ raise_exception('no such turn') }}", jinja2.TemplateError, "no such turn"),
        ("{{ x.y.z }}", jinja2.UndefinedError, "'x' is undefined"),
        ("{{ 1 / 0 }}", ZeroDivisionError, "division by zero"),
        ("{{ messages[0].__class__.__mro__ }}", jinja2.exceptions.SecurityError, "access to attribute '__class__'"),
    ],
)
def test_errors_of_templates_come_back_as_they_are(template: str, kind: type[Exception], words: str) -> None:
    with bounded(), pytest.raises(kind, match=words):
        chat_template_utils._compile_jinja_template(template).render(messages=[{"role": "user", "content": "x"}])


def test_one_process_serves_all_threads_and_templates() -> None:
    found: list[str] = []

    def one(number: int) -> None:
        found.append(chat(f"{{{{ messages[0].content }}}}{number}")._write([{"role": "user", "content": "x"}], True, {}))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(found) == sorted(f"x{number}" for number in range(16))
    assert list(module._children) == [os.getpid()]


def test_transformers_is_as_it_was_afterwards() -> None:
    before = chat_template_utils._compile_jinja_template
    with bounded():
        assert chat_template_utils._compile_jinja_template is not before
    assert chat_template_utils._compile_jinja_template is before


def test_a_function_that_needs_more_than_is_known_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._source() is not None
    monkeypatch.setattr(module, "KNOWN", {})
    assert module._source() is None
    assert chat("{{ messages[0].content }}")._write([{"role": "user", "content": "x"}], True, {}) == "x"
