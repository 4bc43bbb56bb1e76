"""Where resumable state lies: another folder for other inputs, values, ranks; refused when other code began it."""

import os
from pathlib import Path
from typing import Any

import pytest

from stages.data.files import DataError, write_text
from stages.run import sources
from stages.run.state import CODE, content_hash, kept_folder, state_folder


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, and a copy of the package that a test may change."""
    package = tmp_path / "package"
    files = {
        "sft.py": '"""A stage."""\nfrom stages.training import loop\n',
        "training/loop.py": "RATE = 1.0  # of learning\n\n\ndef step() -> float:\n    return RATE\n",
        "training/table.json": "{}",
        "training/unused.py": "",
    }
    for name, text in files.items():
        write_text(package / name, text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "ROOT", package)
    for function in (sources.code_of, sources.changed):
        monkeypatch.setattr(function, "__defaults__", (package,))
    monkeypatch.delenv("K15_RESUME", raising=False)
    return package


def begun() -> Path:
    """A folder with something in it to go on with."""
    folder = state_folder("sft-long", [], 1)
    write_text(folder / "done", "")
    return folder


def test_the_folder_depends_on_content_values_and_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_text("1")
    (tmp_path / "file").write_text("x")

    def key(values: Any = (1,)) -> str:
        return state_folder("sft-long", [tmp_path / "data", tmp_path / "file"], values).name

    first = key()
    assert state_folder("sft-long", [], 1).parent == Path("artifacts/state/sft-long")
    assert key() == first
    assert key((2,)) != first
    (tmp_path / "data/a").write_text("2")
    second = key()
    (tmp_path / "data/a").rename(tmp_path / "data/b")
    third = key()
    (tmp_path / "file").write_text("y")
    fourth = key()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert len({first, second, third, fourth, key()}) == 5


def test_the_content_of_a_folder_does_not_depend_on_where_it_is(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep/a").write_text("1")
    assert content_hash([tmp_path / "one"]) == content_hash([tmp_path / "two"])
    (tmp_path / "two/deep/a").write_text("2")
    assert content_hash([tmp_path / "one"]) != content_hash([tmp_path / "two"])


CHANGES = {
    "training/loop.py": "RATE = 1.5  # of learning\n\n\ndef step() -> float:\n    return RATE\n",
    "training/table.json": "{} ",
    "sft.py": '"""A stage."""\nfrom stages.training import unused\n',
}


@pytest.mark.parametrize("name", [*CHANGES, "gone"])
def test_a_state_that_other_code_began_is_refused_by_name(project: Path, name: str) -> None:
    folder = begun()
    if name == "gone":
        name = "training/loop.py"
        (project / name).unlink()
    else:
        (project / name).write_text(CHANGES[name])
    for _ in range(2):
        with pytest.raises(DataError, match=rf"other code began it \(stages/{name}\); K15_RESUME=anyway goes on.*afresh$") as error:
            state_folder("sft-long", [], 1)
        assert str(error.value).startswith(f"{folder}: ")
    assert state_folder("sft-long", [], 2) != folder, "values that have no state begin one"


UNCHANGED = {
    "sft.py": '# New.\n"""A stage, better described."""\n\nfrom stages.training import (\n    loop,\n)\n',
    "training/loop.py": 'RATE = 1.0\n"""Of learning."""\ndef step() -> float:\n    """The rate."""\n    return (RATE)\n',
    "training/unused.py": "X = 1\n",
    "training/new.py": "X = 1\n",
    "rl.py": "X = 1\n",
}


def test_comments_docstrings_and_code_that_is_not_loaded_do_not_count(project: Path) -> None:
    begun()
    for name, text in UNCHANGED.items():
        (project / name).write_text(text)
    begun()


def test_the_switch_goes_on_says_what_changed_and_notes_the_new_code(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = begun()
    (project / "sft.py").write_text(CHANGES["sft.py"])
    monkeypatch.setenv("K15_RESUME", "anyway")
    assert begun() == folder
    assert capsys.readouterr().out == f"{folder}: K15_RESUME=anyway: goes on although other code began it (stages/sft.py)\n"
    monkeypatch.delenv("K15_RESUME")
    begun()
    assert capsys.readouterr().out == "", "it is the code of this state now"
    (project / "training/unused.py").write_text("X = 2\n")
    monkeypatch.setenv("K15_RESUME", "yes")
    with pytest.raises(DataError, match=r"stages/training/unused.py.*K15_RESUME=yes is not known"):
        begun()


def test_the_second_rank_leaves_the_message_to_the_first(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun()
    (project / "sft.py").write_text(CHANGES["sft.py"])
    monkeypatch.setenv("K15_RESUME", "anyway")
    for number in ("1", "0", "1"):
        monkeypatch.setenv("RANK", number)
        begun()
    assert capsys.readouterr().out.count("K15_RESUME") == 1


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 half"])
def test_a_state_of_unknown_code_is_refused(content: bytes | None) -> None:
    note = begun() / CODE
    note.unlink() if content is None else note.write_bytes(content)
    with pytest.raises(DataError, match=r"it is not known which code began it \(code.zip\); K15_RESUME=anyway goes on"):
        begun()


def test_a_flipped_bit_in_the_note_is_noticed_or_changes_nothing() -> None:
    note = begun() / CODE
    whole, noticed = note.read_bytes(), 0
    for bit in range(0, 8 * len(whole), 11):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        note.write_bytes(broken)
        try:
            begun()
        except DataError:
            noticed += 1
    assert noticed > len(whole) // 4


def test_nothing_to_go_on_with_is_no_state_of_other_code(project: Path) -> None:
    """A run that failed before its first save, or was killed while the note was written."""
    folder = state_folder("sft-long", [], 1)
    (folder / f".{CODE}.{os.getpid()}").write_bytes(b"PK")
    (project / "sft.py").write_text(CHANGES["sft.py"])
    assert state_folder("sft-long", [], 1) == folder
    write_text(folder / "done", "")
    begun()


def test_what_no_code_decides_is_kept(project: Path) -> None:
    journal = kept_folder("sft-long", [], 1) / "journal.jsonl"
    write_text(journal, "")
    (project / "sft.py").write_text(CHANGES["sft.py"])
    assert kept_folder("sft-long", [], 1) == journal.parent
    assert not (journal.parent / CODE).exists()
