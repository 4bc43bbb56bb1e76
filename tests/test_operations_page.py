"""docs/operations.md says the truth: its commands are known to the tools, pictures exist and are small, names are the code's."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import test_readme as readme
from imports import PROJECT

PAGE = (PROJECT / "docs/operations.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [words for fence in FENCES for line in fence.splitlines() if (words := shlex.split(line, comments=True))]


def prefect(words: list[str], _params: Path) -> None:
    """The command exists and its help names each option."""
    command = [word for word in words if re.fullmatch(r"[a-z-]+", word)][:2]
    done = subprocess.run([sys.executable, "-m", "prefect", *command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [word for word in words if word.startswith("--") and word not in done.stdout] == []


PROGRAMS = {**readme.PROGRAMS, "prefect": prefect}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_is_known(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    assert words[0] in PROGRAMS
    PROGRAMS[words[0]](words[1:], tmp_path / "params.yaml")  # asserts that the words after it are known


def test_each_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if "://" not in link and not (PROJECT / "docs" / link).is_file()] == []


def test_pictures_are_small_described_and_all_used() -> None:
    shown = dict(re.findall(r"!\[([^\]]*)\]\((img/[^)]+)\)", PAGE))
    pictures = {f"img/{path.name}": path for path in (PROJECT / "docs/img").iterdir()}
    assert all(len(text.split()) > 3 for text in shown)
    assert set(shown.values()) == set(pictures)
    assert [name for name, path in pictures.items() if path.stat().st_size >= 200_000] == []


def test_names_are_the_codes() -> None:
    """Variables, folders and files in the running text."""
    quoted = re.findall(r"`([^`\n]+)`", PAGE)
    assert [word for word in quoted if re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", word) and word != "CUDA_VISIBLE_DEVICES"
            and not readme.known_variable(word)] == []  # fmt: skip
    made = {out for outs in readme.stages().values() for out in outs}
    paths = [word for word in quoted if re.match(r"(results|docs|\.dvc)/", word) or word.endswith((".yaml", ".lock"))]
    assert [path for path in paths if not (PROJECT / path).exists() and path not in made] == []
