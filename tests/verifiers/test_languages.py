"""Each of the eight languages with a right, a wrong, a crashing and a hanging program; what is not installed says so."""

import pytest

from stages.verifiers import languages
from stages.verifiers.code_tests import StdinTest, judge
from stages.verifiers.languages import LANGUAGES, missing
from stages.verifiers.programs import CompileError, compiled
from stages.verifiers.sandbox import SandboxUnavailableError, why_unavailable

TESTS = [StdinTest("20\n", "40\n"), StdinTest("21\n", "42\n")]
JAVA = (
    "import java.util.*;\nclass Problem {{ public static void main(String[] a) {{ "
    "int n = new Scanner(System.in).nextInt(); {} }} }}"
)
CPP = "#include <iostream>\nint main() {{ int n; std::cin >> n; {} }}"
CS = "using System;\nclass P {{ static int Main() {{ int n = int.Parse(Console.ReadLine()); {} return 0; }} }}"
JS = "const n = Number(require('fs').readFileSync(0)); {}"
TS = "declare var require: any;\nconst n: number = Number(require('fs').readFileSync(0)); {}"
PHP = "<?php\n$n = intval(fgets(STDIN)); {}"
SH = "read n\n{}"
PROGRAMS: dict[str, dict[str, str]] = {
    "python": {
        "right": "print(2 * int(input()))",
        "wrong": "print(3 * int(input()))",
        "crash": "print([][1])",
        "hang": "while True: pass",
    },
    "java": {
        "right": JAVA.format("System.out.println(2 * n);"),
        "wrong": JAVA.format("System.out.println(3 * n);"),
        "crash": JAVA.format("throw new RuntimeException();"),
        "hang": JAVA.format("while (n > 0) { }"),
    },
    "cpp": {
        "right": CPP.format("std::cout << 2 * n;"),
        "wrong": CPP.format("std::cout << 3 * n;"),
        "crash": CPP.format("std::cout << 2 * n << std::flush; *(volatile int*)0 = n;"),
        "hang": CPP.format("volatile int x = 0; while (true) x = n;"),
    },
    "cs": {
        "right": CS.format("Console.WriteLine(2 * n);"),
        "wrong": CS.format("Console.WriteLine(3 * n);"),
        "crash": CS.format("throw new Exception();"),
        "hang": CS.format("while (n > 0) { }"),
    },
    "js": {
        "right": JS.format("console.log(2 * n)"),
        "wrong": JS.format("console.log(3 * n)"),
        "crash": JS.format("null.x"),
        "hang": JS.format("while (true) { }"),
    },
    "ts": {
        "right": TS.format("console.log(2 * n)"),
        "wrong": TS.format("console.log(3 * n)"),
        "crash": TS.format("throw new Error('x')"),
        "hang": TS.format("while (true) { }"),
    },
    "php": {
        "right": PHP.format("echo 2 * $n;"),
        "wrong": PHP.format("echo 3 * $n;"),
        "crash": PHP.format("throw new Exception('x');"),
        "hang": PHP.format("while (true) { }"),
    },
    "sh": {
        "right": SH.format("echo $((2 * n))"),
        "wrong": SH.format("echo $((3 * n))"),
        "crash": SH.format("kill -SEGV $$"),
        "hang": SH.format("while true; do :; done"),
    },
}
REASONS = {"right": "passes 2 tests", "wrong": "gave '60", "crash": "status ", "hang": "stopped for "}


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("kind", REASONS)
def test_a_program_of_each_kind(name: str, kind: str) -> None:
    reason = why_unavailable() or missing(name)
    if reason is not None:
        pytest.skip(reason)
    verdict = judge(PROGRAMS[name][kind], TESTS, name, seconds=3 if kind == "hang" else 20)
    assert verdict.outcome == ("right" if kind == "right" else "wrong"), verdict.reason
    assert REASONS[kind] in verdict.reason


@pytest.mark.parametrize("name", [name for name, language in LANGUAGES.items() if language.compile])
def test_a_program_that_does_not_compile_is_told_why(name: str) -> None:
    reason = why_unavailable() or missing(name)
    if reason is not None:
        pytest.skip(reason)
    with pytest.raises(CompileError, match=r"the compiler says: (?s:.*)error"):
        compiled(name, "this is { no program")


def test_a_compiler_sees_nothing_of_the_host() -> None:
    reason = why_unavailable() or missing("cpp")
    if reason is not None:
        pytest.skip(reason)
    with pytest.raises(CompileError, match="/etc/passwd"):
        compiled("cpp", '#include "/etc/passwd"\nint main() {}')


def test_a_missing_tool_chain_is_named_with_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "glob", lambda _: [])
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert missing("php") == "PHP: /usr/bin/php is not here; install php-cli (or run .ci/toolchains)"
    with pytest.raises(SandboxUnavailableError, match="TypeScript: node, tsc is not here; install nodejs, and npm install"):
        compiled("ts", "")
