"""Chat templates are programs of strangers: they are rendered in a process that is killed when one takes too long or too much.

Jinja's sandbox keeps a template away from everything outside and limits range(), nothing else: nested loops run for years, and a
text that is doubled forty times fills any memory. So every rendering (not only a first one: a template may loop on one input, or
by lot) happens in one child process for each of ours, whose kernel limits end it; compiling happens there, too. The child runs
transformers' own function on transformers' own data, sent as source and plain values, so that what is rendered is the same to the
byte. It starts once (0.1 s), and is asked rarely: prompts are made from few renderings with marks (template.py)."""

import atexit
import builtins
import contextlib
import inspect
import json
import os
import pickle
import select
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2.exceptions

from stages.prompts.bounded_child import KNOWN, NAME
from stages.run.watching.clock import PATIENCE, Clock

SECONDS = 2
"""CPU time of one rendering, which takes milliseconds; PATIENCE times that on the wall clock."""
START_SECONDS = 120
MEMORY = 512 << 20
"""Bytes of address space of the child."""
MOST = 1 << 24
"""Characters of a rendering."""
_CHILD = Path(__file__).with_name("bounded_child.py")
_lock = threading.RLock()


class _Child:
    """The process, started and told what compiles a template."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD), str(SECONDS), str(MEMORY), str(MOST)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            self._ask(_source(), START_SECONDS)
        except (EOFError, BrokenPipeError, TimeoutError) as error:
            self.kill()
            raise RuntimeError(f"the process that renders chat templates does not start ({sys.executable} {_CHILD})") from error

    def rendered(self, template: str, variables: dict[str, Any]) -> str:
        """What the template makes of the variables. The template's own errors; TemplateError where its process was ended."""
        try:
            kind, *told = self._ask((template, variables), PATIENCE * SECONDS)
        except (EOFError, BrokenPipeError, TimeoutError):
            self.kill()
            raise jinja2.exceptions.TemplateError(
                f"its rendering was ended: more than {SECONDS} s of CPU time, or {MEMORY >> 20} MiB of memory"
            ) from None
        if kind == "error":
            raise _told(*told)
        return str(told[0])

    def kill(self) -> None:
        """End it and wait for that."""
        if self.owner != os.getpid():
            return
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _ask(self, request: Any, seconds: float) -> list[str]:
        """Send a frame and wait for the reply. EOFError, BrokenPipeError, TimeoutError."""
        assert self.process.stdin is not None
        content = pickle.dumps(request)
        self.process.stdin.write(len(content).to_bytes(4, "big") + content)
        self.process.stdin.flush()
        clock = Clock(seconds)
        found: list[str] = json.loads(self._read(int.from_bytes(self._read(4, clock), "big"), clock))
        return found

    def _read(self, length: int, clock: Clock) -> bytes:
        assert self.process.stdout is not None
        end, found = self.process.stdout.fileno(), b""
        while len(found) < length:
            over = clock.over()
            if select.select([end], [], [], clock.wait())[0]:
                piece = os.read(end, length - len(found))
                if not piece:
                    raise EOFError
                found += piece
            elif over:
                raise TimeoutError
        return found


class _Bounded:
    """Stands where transformers keeps a compiled template."""

    def __init__(self, template: str) -> None:
        self.template = template

    @property
    def environment(self) -> Any:
        """Jinja's, by which transformers finds the names of a template's variables: that parses it, and runs nothing."""
        from transformers.utils import chat_template_utils

        return getattr(chat_template_utils, NAME)("").environment

    def render(self, **variables: Any) -> str:
        """The rendering, by the child of this process."""
        with _lock:
            child = _children.get(os.getpid())
            if child is None or child.process.poll() is not None:
                _children.clear()
                child = _children[os.getpid()] = _Child()
                atexit.register(child.kill)
            return child.rendered(self.template, variables)


_children: dict[int, _Child] = {}


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Whatever renders a chat template by transformers in here does it in the child, and raises TemplateError where that ends."""
    from transformers.utils import chat_template_utils

    with _lock:
        before = chat_template_utils._compile_jinja_template
        chat_template_utils._compile_jinja_template = _Bounded
        try:
            yield
        finally:
            chat_template_utils._compile_jinja_template = before


def _source() -> str | None:
    """The text of the function that compiles; None where it uses names that only an import of transformers gives."""
    from transformers.utils import chat_template_utils

    function = getattr(chat_template_utils, NAME)
    used = set(function.__code__.co_names) & set(function.__globals__)
    return textwrap.dedent(inspect.getsource(function)) if used <= KNOWN.keys() else None


def _told(name: str, text: str) -> Exception:
    """An error of the child as one of ours: the same kind where Jinja or Python has it, the same words."""
    kind = getattr(jinja2.exceptions, name, None) or getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return jinja2.exceptions.TemplateError(f"{name}: {text}")
    methods = {"__init__": Exception.__init__, "__str__": Exception.__str__}
    error: Exception = type(name, (kind,), methods)(text)
    return error
