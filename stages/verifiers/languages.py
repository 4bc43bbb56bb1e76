"""The eight languages of HumanEval-Mul: how a program is compiled and run, and what must be installed for it.

Commands and rules as in DeepSeek's runner (github.com/deepseek-ai/DeepSeek-Coder, Evaluation/HumanEval/human_eval/execution.py,
commit 9ebe9ce14a1771159ded33d33618b8f0b881beb8); limits of time and memory are ours."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from stages.verifiers.sandbox import PATH, Limits, MiB, SandboxUnavailableError

BUILT = "/tmp/built"
"""Where a compiler leaves what a run needs."""
_JAVATUPLES = "/usr/share/java/javatuples.jar"
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_JAVAC = ("-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-encoding", "UTF-8", "-proc:none")
_NATIVE = Limits()
_RUNTIME = Limits(address_space=False, memory=2048 * MiB, processes=128)
"""For runtimes that reserve much more address space than they use, and start threads of their own."""
_COMPILER = Limits(seconds=180, cpu_seconds=60, address_space=False, memory=2048 * MiB, processes=128)


@dataclass(frozen=True)
class Language:
    """How programs of one language are compiled and run."""

    title: str
    file: str
    """Name of the source file in /box."""
    run: tuple[str, ...]
    """Command that runs a program."""
    needs: tuple[str, ...]
    """Files that must exist on the host; patterns of glob."""
    packages: str
    """What installs them."""
    compile: tuple[str, ...] = ()
    """Command that leaves its results in BUILT; () where nothing is compiled."""
    paths: tuple[str, ...] = ()
    """What the tool chain reads outside /usr; patterns of glob, those that do not exist are left out."""
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = _NATIVE


LANGUAGES: dict[str, Language] = {
    "python": Language(
        title="Python",
        file="main.py",
        run=("/usr/bin/python3", "-S", "-s", "/box/main.py"),
        needs=("/usr/bin/python3", "/usr/lib/python3/dist-packages/numpy"),
        packages="python3 python3-numpy",
        paths=("/etc/alternatives",),
        environment={"PYTHONPATH": "/usr/lib/python3/dist-packages", "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
    ),
    "java": Language(
        title="Java",
        file="Problem.java",
        compile=("javac", *_JAVAC, "-cp", _JAVATUPLES, "-d", BUILT, "/box/Problem.java"),
        run=("java", *_JVM, "-Xmx768m", "-ea", "-cp", f"/box:{_JAVATUPLES}", "Problem"),
        needs=("/usr/bin/javac", "/usr/bin/java", _JAVATUPLES),
        packages="default-jdk-headless libjavatuples-java",
        paths=("/etc/java-*-openjdk", "/etc/alternatives"),
        limits=_RUNTIME,
    ),
    "cpp": Language(
        title="C++",
        file="test.cpp",
        compile=("g++", "-std=c++17", "/box/test.cpp", "-o", f"{BUILT}/a.out"),
        run=("/box/a.out",),
        needs=("/usr/bin/g++", "/usr/include/openssl/md5.h"),
        packages="g++ libssl-dev",
        paths=("/etc/alternatives",),
    ),
    "cs": Language(
        title="C#",
        file="Program.cs",
        compile=("mcs", "-d:DEBUG", "-r:System.Numerics", f"-out:{BUILT}/Program.exe", "/box/Program.cs"),
        run=("mono", "/box/Program.exe"),
        needs=("/usr/bin/mcs", "/usr/bin/mono", "/usr/lib/mono/4.5/System.Numerics.dll"),
        packages="mono-mcs mono-runtime libmono-system-numerics4.0-cil libmono-system-core4.0-cil",
        paths=("/etc/mono",),
        environment={"MONO_TRACE_LISTENER": "Console.Error"},
        limits=_RUNTIME,
    ),
    "js": Language(
        title="JavaScript",
        file="test.js",
        run=("node", "/box/test.js"),
        needs=("node",),
        packages="nodejs",
        limits=_RUNTIME,
    ),
    "ts": Language(
        title="TypeScript",
        file="test.ts",
        compile=("tsc", "--outDir", BUILT, "--target", "ES2015", "--lib", "ES2015,DOM", "/box/test.ts"),
        run=("node", "/box/test.js"),
        needs=("node", "tsc"),
        packages="nodejs, and npm install --global --prefix /usr/local typescript@5.4.5",
        limits=_RUNTIME,
    ),
    "php": Language(
        title="PHP",
        file="test.php",
        run=("php", "-f", "/box/test.php"),
        needs=("/usr/bin/php",),
        packages="php-cli",
        paths=("/etc/php", "/etc/alternatives"),
    ),
    "sh": Language(
        title="Bash",
        file="test.sh",
        run=("/bin/bash", "/box/test.sh"),
        needs=("/bin/bash", "/usr/bin/bc"),
        packages="bash bc",
        paths=("/etc/alternatives",),
    ),
}
COMPILER_LIMITS = _COMPILER


def missing(name: str) -> str | None:
    """None when the tool chain of a language is installed, else one line that says what is not and what installs it."""
    language = LANGUAGES[name]
    absent = [need for need in language.needs if not (glob(need) if need.startswith("/") else shutil.which(need, path=PATH))]
    if not absent:
        return None
    return f"{language.title}: {', '.join(absent)} is not here; install {language.packages} (or run .ci/toolchains)"


def require_language(name: str) -> None:
    """Raises SandboxUnavailableError where `missing` names something."""
    reason = missing(name)
    if reason is not None:
        raise SandboxUnavailableError(reason)


def existing(patterns: tuple[str, ...]) -> list[str]:
    """The paths that match."""
    return [path for pattern in patterns for path in sorted(glob(pattern)) if Path(path).exists()]
