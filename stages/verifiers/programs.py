"""Programs: compiled once, run on many inputs, each run in a sandbox of its own; Python under the harnesses of code_tests.py,
several inputs in one sandbox."""

import io
import math
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from stages.run.watching.clock import PATIENCE
from stages.verifiers.languages import BUILT, COMPILER_LIMITS, LANGUAGES, Language, existing, require_language
from stages.verifiers.sandbox import Limits, MiB, Run, SandboxUnavailableError, run
from stages.verifiers.sandboxed_tests import STARVED

MAX_SOURCE = 1 * MiB
Harness = Literal["plain", "lcb-2025-01", "lcb-2025-05"]
"""lcb-2025-01: LiveCodeBench's harness of January 2025 (commit 15808c7), whose programs see a plain StringIO as standard input;
lcb-2025-05: the later one, which gives them an object of its own."""
PYTHON = ("/usr/bin/python3", "-S", "-s")
MEMORY = 4096 * MiB
"""What LiveCodeBench's harness says that it allows."""
MAX_OUTPUT = 16 * MiB
"""Bytes of one test's output."""
MAX_SHOWN = 200
_MODULES = (
    *("__init__", "verifiers/__init__", "verifiers/sandboxed_tests", "run/__init__", "run/watching/__init__"),
    *("run/watching/clock", "run/watching/usage"),
)
RETRIES = 1
"""How often a program is run again that the wall clock stopped before it had used its CPU time."""
_MAX_BUILT = 64 * MiB
_PACK = 'mkdir -p "$0" && "$@" 1>&2 && exec tar -cf - -C "$0" .'
"""The compiler's words go to standard error, its results as an archive to standard output."""


class StarvedError(SandboxUnavailableError):
    """The wall clock stopped a program, every time, before it had used its CPU time: no verdict."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"{PATIENCE * seconds:g} s passed {RETRIES + 1} times without {seconds:g} s of CPU time used: it sleeps, or this "
            "machine is too busy"
        )


class CompileError(ValueError):
    """The program is no program: too long, not text, or refused by its compiler."""


@dataclass(frozen=True)
class Program:
    """What a run needs of a program."""

    language: Language
    files: Mapping[str, bytes]

    def run(self, stdin: bytes = b"", seconds: float | None = None) -> Run:
        """One run, of `seconds` of CPU time (twice that for runtimes with threads of their own) and PATIENCE times that on the wall
        clock; with `seconds`, one that the wall clock stops too early is run again, RETRIES times. Raises
        SandboxUnavailableError, of it StarvedError."""
        limits = self.language.limits
        if seconds is not None:
            own_threads = 1 if limits.address_space else 2
            limits = replace(limits, seconds=PATIENCE * seconds, cpu_seconds=math.ceil(seconds) * own_threads)
        for _ in range(1 if seconds is None else 1 + RETRIES):
            done = run(self.files, self.language.run, stdin, limits, self.language.environment, existing(self.language.paths))
            if seconds is None or not done.starved:
                return done
        raise StarvedError(seconds)  # type: ignore[arg-type]


def compiled(name: str, source: str, options: tuple[str, ...] = ()) -> Program:
    """`source` as a program of the language `name`; `options` go to its compiler. CompileError, SandboxUnavailableError."""
    require_language(name)
    language = LANGUAGES[name]
    text = _encoded(source)
    if not language.compile:
        return Program(language, {language.file: text})
    command = ["/bin/sh", "-c", _PACK, BUILT, *language.compile, *options]
    limits = replace(COMPILER_LIMITS, output=_MAX_BUILT)
    done = run({language.file: text}, command, b"", limits, language.environment, existing(language.paths))
    if done.killed_for == "time":
        raise SandboxUnavailableError(
            f"the compiler of {language.title} did not end within {limits.seconds:g} s; is this machine busy?"
        )
    if done.killed_for is not None:
        raise CompileError(f"the compiler was stopped for {done.killed_for}")
    if done.returncode != 0:
        raise CompileError(f"the compiler says: {done.stderr[:2000].decode('utf-8', 'replace').strip()}")
    return Program(language, _unpack(done.stdout))


def with_files(name: str, files: Mapping[str, bytes], run_command: tuple[str, ...], limits: Limits | None = None) -> Program:
    """A program of several files with a command of its own."""
    language = replace(LANGUAGES[name], run=run_command, limits=limits or LANGUAGES[name].limits)
    return Program(language, files)


def ended(done: Run) -> str:
    """How a run that failed ended, in a sentence."""
    if done.killed_for:
        return f"stopped for {'time' if done.killed_for == 'cpu' else done.killed_for}"
    return f"status {done.returncode}{_last(done)}"


@dataclass(frozen=True)
class Runner:
    """How a program is run."""

    program: str
    language: str
    seconds: float
    harness: Harness

    def given(self, text: str) -> str:
        """An input as the program gets it: plainly with the line ends of this system."""
        return text.replace("\r\n", "\n") if self.harness == "plain" else text

    def answers(self, inputs: Sequence[str], mode: str, function: str = "") -> Iterator[tuple[str, str | None]]:
        """Output of each input and why the run failed, if it did; the last is the first that failed."""
        ready = compiled(self.language, self.program)
        if self.language == "python":
            yield from self._in_one_sandbox(ready.files["main.py"], inputs, mode, function)
            return
        for text in inputs:
            done = ready.run(as_bytes(text), self.seconds)  # which retries by itself
            yield done.stdout.decode("utf-8", "replace"), ended(done) if done.killed_for or done.returncode else None

    def _in_one_sandbox(self, source: bytes, inputs: Sequence[str], mode: str, function: str) -> Iterator[tuple[str, str | None]]:
        """Test by test; one that the wall clock stopped too early is begun again, RETRIES times. StarvedError."""
        at = tries = 0
        while at < len(inputs):
            for text, reason in _told(self._sandboxed(source, inputs[at:], mode, function), len(inputs) - at):
                if reason == STARVED:
                    tries += 1
                    break
                yield text, reason
                if reason is not None:
                    return
                at, tries = at + 1, 0
            if tries > RETRIES:
                raise StarvedError(self.seconds)

    def _sandboxed(self, source: bytes, inputs: Sequence[str], mode: str, function: str) -> Run:
        plain = self.harness == "plain"
        name, first = ("sandboxed_plain", mode) if plain else ("sandboxed_tests", self.harness)
        command = (*PYTHON, f"/box/{name}.py", first, str(self.seconds), str(MAX_OUTPUT), function)
        limits = replace(
            LANGUAGES["python"].limits,
            memory=MEMORY,
            output=4 * MAX_OUTPUT,
            seconds=(PATIENCE * self.seconds + 1) * len(inputs) + 5,
        )
        files = {f"{name}.py": source_of(name), "program.py": source, **harness_modules()}
        wanted = b"".join(b"%d\n%s" % (len(text), text) for text in map(as_bytes, inputs))
        return with_files("python", files, command, limits).run(wanted)


def _told(done: Run, count: int) -> Iterator[tuple[str, str | None]]:
    """What a harness told of each input, up to the first on which the program failed: STARVED where the wall clock stopped it."""
    told = io.BytesIO(done.stdout)
    for _ in range(count):
        status, _, length = told.readline().decode("utf-8", "replace").partition(" ")
        if not length.strip().isdecimal() or len(length) > 12:
            failed = done.killed_for or done.returncode
            yield "", STARVED if done.timed_out else ended(done) if failed else "it ended before the test did"
            return
        text = told.read(int(length)).decode("utf-8", "replace")
        reason = f"stopped for {status}" if status.isalpha() else f"status {status}{_last(done)}"
        yield text, None if status == "0" else STARVED if status == STARVED else reason
        if status != "0":
            return


@cache
def harness_modules() -> dict[str, bytes]:
    """The modules that the programs inside import, by their names in /box."""
    return {f"stages/{name}.py": (Path(__file__).parents[1] / f"{name}.py").read_bytes() for name in _MODULES}


@cache
def source_of(name: str) -> bytes:
    return (Path(__file__).parent / f"{name}.py").read_bytes()


def _last(done: Run) -> str:
    """The last line of standard error, in brackets."""
    lines = done.stderr[-2000:].decode("utf-8", "replace").strip().splitlines()
    return f" ({lines[-1][:MAX_SHOWN]})" if lines else ""


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _encoded(source: str) -> bytes:
    try:
        text = source.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CompileError(f"the program is no text: {error.reason} at {error.start}") from None
    if len(text) > MAX_SOURCE:
        raise CompileError(f"the program has {len(text)} bytes; at most {MAX_SOURCE} are run")
    return text


def _unpack(archive: bytes) -> dict[str, bytes]:
    """The regular files of an archive that a compiler made; anything else in it is left out."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as members:
            for member in members:
                content = members.extractfile(member) if member.isfile() else None
                name = member.name.removeprefix("./")
                if content is not None and name and ".." not in name.split("/") and not name.startswith("/"):
                    found[name] = content.read()
    except tarfile.TarError as error:
        raise CompileError(f"what the compiler made cannot be read: {error}") from None
    if not found:
        raise CompileError("the compiler made nothing")
    return found
