"""Generators of test inputs (§2.3.5): Python programs that draw with CYaRon, run in the sandbox, 50 inputs from one program.

CYaRon (github.com/luogu-dev/cyaron, PyPI `cyaron`) is the report's library of random graphs, sequences, strings and polygons; it
travels into the sandbox with the generator."""

import importlib.util
import io
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from stages.data.files import DataError
from stages.run.watching.clock import PATIENCE
from stages.verifiers.languages import LANGUAGES
from stages.verifiers.programs import CompileError, compiled, ended, harness_modules, with_files
from stages.verifiers.sandbox import MiB

MAX_INPUT = 4 * MiB
"""Bytes of one input."""
PACKAGES = ("cyaron", "xeger", "colorful")
"""CYaRon and what it imports."""
_HARNESS = "sandboxed_generator.py"
PROMPT = """\
Write a Python program that generates test inputs for the programming problem below.

The program is run once for each test, with the number of the test (1 to {count}) in sys.argv[1], and prints one input to standard \
output, exactly in the format of the statement and within its limits. Draw at random, with the module random or with CYaRon, which \
are seeded; let the first tests be small and edge cases, later ones grow up to the limits, and cover what different wrong or slow \
solutions would fail on. Print nothing else, and do not solve the problem.

CYaRon in short (from cyaron import *):
- randint(a, b), uniform(a, b), choice(list): as in the module random
- Sequence(lambda i, f: 2 * i + 1).get(1, n): list of the terms 1..n; f(i - 1) is an earlier term
- Vector.random(n, [(1, 10), (1, 100)]): n different points, a range for each coordinate; Vector.random_repeatable for repeated ones
- String.random(length, charset="abc"): a random string; String.random_sentence(words)
- Graph.graph(n, m, weight_limit=(1, 100), directed=False, self_loop=False, repeated_edges=False): a graph; print(g) gives a line \
"u v w" for each edge, g.to_str(output=Edge.unweighted_edge) lines "u v"; Graph.DAG(n, m), Graph.UDAG(n, m) (connected)
- Graph.tree(n, chain=0, flower=0), Graph.binary_tree(n), Graph.chain(n), Graph.flower(n): trees
- Polygon.convex_hull(n), Polygon.simple_polygon(n): polygons, points in .points

Answer with the program in one code block.

Problem:
{statement}"""


@dataclass(frozen=True)
class Generated:
    """What a generator made of one number."""

    text: str | None
    """The input; None when the generator failed."""
    reason: str
    """Why it failed, "" otherwise."""


def prompt_for(statement: str, count: int) -> str:
    """What the model is asked that writes the generator: CYaRon's usage and the statement (§2.3.5; the wording is ours)."""
    return PROMPT.format(count=count, statement=statement)


def generate(program: str, count: int, seed: int, seconds: float) -> list[Generated]:
    """The inputs of the numbers 1 to `count`, equal for equal seeds. Raises SandboxUnavailableError; DataError where the program
    needs CYaRon and it is not installed."""
    try:
        source = compiled("python", program).files["main.py"]
    except CompileError as error:
        return [Generated(None, str(error))] * count
    files = {"generator.py": source, **_harness(), **(cyaron_files() if "cyaron" in program else {})}
    command = ("/usr/bin/python3", "-S", "-s", f"/box/{_HARNESS}", str(seconds), str(MAX_INPUT))
    limits = LANGUAGES["python"].limits
    limits = replace(limits, output=count * MAX_INPUT, seconds=(PATIENCE * seconds + 1) * count + 5, cpu_seconds=60)
    wanted = [f"{number} {seed}".encode() for number in range(1, count + 1)]
    done = with_files("python", files, command, limits).run(b"".join(b"%d\n%s" % (len(text), text) for text in wanted))
    told, errors = io.BytesIO(done.stdout), done.stderr[-2000:].decode("utf-8", "replace").strip().splitlines()
    last = f" ({errors[-1][:200]})" if errors else ""
    found: list[Generated] = []
    for _ in wanted:
        status, _, length = told.readline().decode("utf-8", "replace").partition(" ")
        if not length.strip().isdecimal():
            return found + [Generated(None, ended(done))] * (count - len(found))
        text = told.read(int(length)).decode("utf-8", "replace")
        found.append(_generated(status, text, last))
    return found


def _generated(status: str, text: str, last: str) -> Generated:
    if status != "0":
        return Generated(None, f"the generator was stopped for {status}" if status.isalpha() else f"status {status}{last}")
    return Generated(text, "") if text.strip() else Generated(None, "the generator printed nothing")


@cache
def _harness() -> dict[str, bytes]:
    return {_HARNESS: (Path(__file__).parent / _HARNESS).read_bytes(), **harness_modules()}


@cache
def cyaron_files() -> dict[str, bytes]:
    """The packages that a CYaRon generator imports, by their names in /box. DataError where one is not installed."""
    found: dict[str, bytes] = {}
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise DataError(f"the package {name} is not installed, and generators draw with CYaRon; run `pip install cyaron`")
        folder = Path(spec.submodule_search_locations[0])
        kept = [file for file in folder.rglob("*") if file.suffix in (".py", ".json", ".txt") and "tests" not in file.parts]
        found |= {f"{name}/{file.relative_to(folder)}": file.read_bytes() for file in sorted(kept)}
    return found
