"""Renders chat templates in a process of its own, which may be killed: the far side of bounded.py.

Started as a file, without the packages of this project. Standard input: frames of four bytes of length and a pickle; the first is
the source of transformers' own function that compiles a template (None: import it), each further one a pair (template, variables).
Standard output: frames of JSON, ["text", rendering] or ["error", kind, message]. What a template may use is limited before each
rendering: CPU time by the kernel's signal, memory by the address space of the process."""

import contextlib
import datetime
import functools
import json
import pickle
import resource
import sys
import typing
from typing import Any

import jinja2
import jinja2.exceptions
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.runtime
import jinja2.sandbox
from packaging import version

KNOWN: dict[str, Any] = {
    "Extension": jinja2.ext.Extension,
    "ImmutableSandboxedEnvironment": jinja2.sandbox.ImmutableSandboxedEnvironment,
    "contextmanager": contextlib.contextmanager,
    "datetime": datetime.datetime,
    "is_jinja_available": lambda: True,
    "jinja2": jinja2,
    "json": json,
    "lru_cache": functools.lru_cache,
    "no_type_check": typing.no_type_check,
    "version": version,
}
"""Global names that the function may use when it comes as source."""
NAME = "_cached_compile_jinja_template"
KEPT = 32
"""Compiled templates that are kept."""


def compiler(source: str | None) -> Any:
    """The function that compiles a template."""
    if source is None:
        from transformers.utils import chat_template_utils

        return getattr(chat_template_utils, NAME)
    names = dict(KNOWN)
    exec(compile(source, "chat_template_utils.py", "exec"), names)
    return names[NAME]


def rendered(compiled: Any, template: str, variables: dict[str, Any], most: int) -> list[str]:
    """The reply to one request."""
    try:
        text = str(compiled(template).render(**variables))
        if len(text) > most:
            return ["error", "TemplateError", f"it writes {len(text)} characters, more than {most}"]
        text.encode("utf-8", "surrogatepass")
    except MemoryError:
        return ["error", "TemplateError", "it wants more memory than there is for it"]
    except Exception as error:  # noqa: BLE001 - the other side raises it
        return ["error", type(error).__name__, str(error)[:2000]]
    return ["text", text]


def limit(seconds: int) -> None:
    """So much CPU time from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, resource.RLIM_INFINITY))


def frame() -> Any:
    """The next request. Ends the process where there is none."""
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        sys.exit(0)
    return pickle.loads(sys.stdin.buffer.read(int.from_bytes(head, "big")))


def tell(reply: list[str]) -> None:
    """Send a frame."""
    content = json.dumps(reply).encode()
    sys.stdout.buffer.write(len(content).to_bytes(4, "big") + content)
    sys.stdout.buffer.flush()


def main(seconds: int, memory: int, most: int) -> None:
    """Answer requests until standard input ends."""
    compiled = functools.lru_cache(KEPT)(compiler(frame()))
    tell(["text", "ready"])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    while True:
        template, variables = frame()
        limit(seconds)
        tell(rendered(compiled, template, variables, most))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
