"""What is renamed into place is on the disk before: the order of calls of whole files and of training states."""

import os
from pathlib import Path
from typing import Any

import pytest

from stages.data.files import write_text
from stages.training.checkpoints import _put_in_place

Calls = list[tuple[str, str]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    found: Calls = []
    sync, replace, rename = os.fsync, os.replace, os.rename

    def synced(handle: int) -> None:
        found.append(("sync", os.path.relpath(os.readlink(f"/proc/self/fd/{handle}"), tmp_path)))
        sync(handle)

    def moved(move: Any) -> Any:
        def call(source: Any, target: Any, **options: Any) -> None:
            found.append(("move", os.path.relpath(target, tmp_path)))
            move(source, target, **options)

        return call

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved(replace))
    monkeypatch.setattr(os, "rename", moved(rename))
    return found


def test_a_whole_file(calls: Calls, tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", "{}")
    assert calls == [("sync", f".a.json.{os.getpid()}"), ("move", "a.json"), ("sync", ".")]


def test_a_training_state(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / ".new/state").mkdir(parents=True)
    (tmp_path / ".new/state/weights").write_text("1")
    _put_in_place(tmp_path / ".new", tmp_path / "new")
    synced = [("sync", name) for name in (".new/state/weights", ".new/state", ".new")]
    assert calls == [*synced, ("move", "new"), ("sync", ".")]
    assert (tmp_path / "new/state/weights").read_text() == "1"
