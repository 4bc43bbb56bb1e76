"""Where resumable state lies: another folder for other inputs, values, ranks."""

from pathlib import Path
from typing import Any

import pytest

from stages.run.state import content_hash, state_folder


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
