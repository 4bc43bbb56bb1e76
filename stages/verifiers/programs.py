"""Programs: compiled once, run on many inputs, each run in a sandbox of its own."""

import io
import math
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stages.verifiers.languages import BUILT, COMPILER_LIMITS, LANGUAGES, Language, existing, require_language
from stages.verifiers.sandbox import Limits, MiB, Run, SandboxUnavailableError, run

MAX_SOURCE = 1 * MiB
PATIENCE = 5
"""Wall clock over CPU time: a busy machine must not make a right program wrong."""
_MAX_BUILT = 64 * MiB
_PACK = 'mkdir -p "$0" && "$@" 1>&2 && exec tar -cf - -C "$0" .'
"""The compiler's words go to standard error, its results as an archive to standard output."""


class CompileError(ValueError):
    """The program is no program: too long, not text, or refused by its compiler."""


@dataclass(frozen=True)
class Program:
    """What a run needs of a program."""

    language: Language
    files: Mapping[str, bytes]

    def run(self, stdin: bytes = b"", seconds: float | None = None) -> Run:
        """One run, of `seconds` of CPU time (twice that for runtimes with threads of their own) and PATIENCE times that on the wall
        clock. Raises SandboxUnavailableError."""
        limits = self.language.limits
        if seconds is not None:
            own_threads = 1 if limits.address_space else 2
            limits = replace(limits, seconds=PATIENCE * seconds, cpu_seconds=math.ceil(seconds) * own_threads)
        return run(self.files, self.language.run, stdin, limits, self.language.environment, existing(self.language.paths))


def compiled(name: str, source: str, options: tuple[str, ...] = ()) -> Program:
    """`source` as a program of the language `name`; `options` go to its compiler. CompileError, SandboxUnavailableError."""
    require_language(name)
    language = LANGUAGES[name]
    text = _as_bytes(source)
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


def _as_bytes(source: str) -> bytes:
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
